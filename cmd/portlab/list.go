package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/strategies"
)

// listing is what list prints: the JSON object is a contract with scripts.
type listing struct {
	SchemaVersion int              `json:"schema_version"`
	Runtimes      []listedRuntime  `json:"runtimes"`
	Strategies    []listedStrategy `json:"strategies"`
}

type listedRuntime struct {
	Name   string `json:"name"`
	Usable bool   `json:"usable"`
	Reason string `json:"reason"` // why it cannot be used; empty if it can
}

type listedStrategy struct {
	Name        string           `json:"name"`
	Summary     string           `json:"summary"`
	Placement   lab.Placement    `json:"placement"`
	ReusePort   bool             `json:"reuse_port"`
	Root        bool             `json:"root"`
	Probes      []string         `json:"probes"` // what is looked for on the host
	Application string           `json:"application"`
	Weighted    bool             `json:"weighted"`
	Null        lab.Null         `json:"null"`
	Warning     string           `json:"warning"`
	Vantages    []listedVantage  `json:"vantages"`
	Options     []listedOption   `json:"options"`
	Protocols   []listedProtocol `json:"protocols"`
	Runtimes    []listedRuntime  `json:"runtimes"` // in which it can be used
	Usable      bool             `json:"usable"`   // in any runtime
	Reason      string           `json:"reason"`   // why it cannot be used in any; empty if it can
}

// listedOption is a setting of a strategy. What is said of the strategy is so
// with the first value of each.
type listedOption struct {
	Name    string        `json:"name"`
	Meaning string        `json:"meaning"`
	Values  []listedValue `json:"values"` // the default first
}

type listedValue struct {
	Value     string         `json:"value"`
	Null      lab.Null       `json:"null"`      // with this value
	Protocols []lab.Protocol `json:"protocols"` // that are carried with this value
	Usable    bool           `json:"usable"`    // in any runtime, with this value
	Reason    string         `json:"reason"`    // why not in any; empty if it can
}

type listedProtocol struct {
	Name   lab.Protocol `json:"name"`
	Usable bool         `json:"usable"`
	Reason string       `json:"reason"` // why it cannot be carried; empty if it can
}

type listedVantage struct {
	Name   lab.Vantage `json:"name"`
	Usable bool        `json:"usable"`
	Reason string      `json:"reason"` // why it cannot be used; empty if it can
	// ReasonIPv6 is why it cannot be used with --ip 6; empty if it can.
	ReasonIPv6 string `json:"reason_ipv6"`
}

func (a *app) listCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "list the strategies: what each needs, from where it works, whether it can run here",
		Args:  exactly(),
	}
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := oneOf("format", *format, formatText, formatJSON); err != nil {
			return err
		}
		l := a.list(c.Context())
		if *format == formatJSON {
			return printJSON(a.stdout, l)
		}
		return writeListing(a.stdout, l)
	}
	return c
}

func (a *app) list(ctx context.Context) listing {
	l := listing{SchemaVersion: schemaVersion, Runtimes: []listedRuntime{}, Strategies: []listedStrategy{}}
	surveys := a.surveyAll(ctx)
	for _, s := range surveys {
		l.Runtimes = append(l.Runtimes, s.Runtime)
	}
	for _, s := range strategies.All() {
		d := describe(s)
		d.Options = options(s, surveys)
		d.Runtimes = usableIn(s.Name(), surveys)
		d.Usable, d.Reason = inAny(d.Runtimes)
		l.Strategies = append(l.Strategies, d)
	}
	return l
}

// options lists a strategy's options, and which of their values can be used.
func options(s lab.Strategy, surveys []survey) []listedOption {
	all := []listedOption{}
	for _, o := range lab.OptionsOf(s) {
		listed := listedOption{Name: o.Name, Meaning: o.Meaning}
		for _, value := range o.Values {
			settings := lab.SettingsOf(s)
			settings[o.Name] = value
			with := s.(lab.Configurable).With(settings)
			v := listedValue{Value: value, Null: with.Needs().Null}
			for _, p := range protocols(with.Needs()) {
				if p.Usable {
					v.Protocols = append(v.Protocols, p.Name)
				}
			}
			v.Usable, v.Reason = inAny(usableIn(lab.FullName(with), surveys))
			listed.Values = append(listed.Values, v)
		}
		all = append(all, listed)
	}
	return all
}

// usableIn says in which runtimes a strategy can be used.
func usableIn(strategy string, surveys []survey) []listedRuntime {
	all := []listedRuntime{}
	for _, s := range surveys {
		why := s.Strategies[strategy]
		all = append(all, listedRuntime{Name: s.Runtime.Name, Usable: why == "", Reason: why})
	}
	return all
}

// inAny says whether any of these runtimes can be used and, if not, why none.
func inAny(runtimes []listedRuntime) (usable bool, reason string) {
	var why []string
	for _, r := range runtimes {
		if r.Usable {
			return true, ""
		}
		why = append(why, r.Name+": "+r.Reason)
	}
	return false, strings.Join(why, "; ")
}

// describe says what a strategy needs and from where it works.
func describe(s lab.Strategy) listedStrategy {
	n := s.Needs()
	_, weighted := s.(lab.Weighted)
	d := listedStrategy{
		Name: s.Name(), Summary: s.About().Summary, Placement: n.Placement, ReusePort: n.ReusePort,
		Root: n.Root, Probes: []string{}, Application: n.Application, Weighted: weighted, Null: n.Null,
		Protocols: protocols(n),
	}
	if w, ok := s.(lab.Warner); ok {
		d.Warning = w.Warning()
	}
	for _, p := range n.Probes {
		d.Probes = append(d.Probes, p.Name)
	}
	for _, v := range lab.Vantages() {
		why := n.WhyNotFrom(v, lab.IPv4)
		d.Vantages = append(d.Vantages, listedVantage{Name: v, Usable: why == "", Reason: why, ReasonIPv6: n.WhyNotFrom(v, lab.IPv6)})
	}
	return d
}

// protocols says which protocols a strategy carries, and why not the others.
func protocols(n lab.Needs) []listedProtocol {
	var all []listedProtocol
	for _, p := range lab.Protocols() {
		why := n.WhyNotFor(p)
		all = append(all, listedProtocol{Name: p, Usable: why == "", Reason: why})
	}
	return all
}

// carried are the names of those that are carried.
func carried(all []listedProtocol) string {
	var names []string
	for _, p := range all {
		if p.Usable {
			names = append(names, string(p.Name))
		}
	}
	return strings.Join(names, ", ")
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func writeListing(w io.Writer, l listing) error {
	out := bufio.NewWriter(w)
	for _, r := range l.Runtimes {
		fmt.Fprintf(out, "runtime %s: %s\n", r.Name, here(r.Usable, r.Reason))
	}
	for _, s := range l.Strategies {
		fmt.Fprintf(out, "\n%s: %s\n", s.Name, s.Summary)
		field(out, "host", strings.Join(hostNeeds(s), ", "))
		field(out, "application", or(s.Application, "nothing"))
		field(out, "spreads", spread(s))
		field(out, "from", strings.Join(usableFrom(s), ", "))
		for _, v := range s.Vantages {
			switch {
			case !v.Usable:
				field(out, "not from", string(v.Name)+": "+v.Reason)
			case v.ReasonIPv6 != "":
				field(out, "not from", string(v.Name)+" with --ip 6: "+v.ReasonIPv6)
			}
		}
		field(out, "carries", carried(s.Protocols))
		for _, p := range s.Protocols {
			if !p.Usable {
				field(out, "not for", string(p.Name)+": "+p.Reason)
			}
		}
		writeOptions(out, s)
		if s.Warning != "" {
			field(out, "warning", s.Warning)
		}
		writeRuntimes(out, s, l.Runtimes)
	}
	return out.Flush()
}

// writeOptions says what may be set, the default first. A value that cannot be
// used although the strategy can has its reason below.
func writeOptions(w io.Writer, s listedStrategy) {
	for _, o := range s.Options {
		var values []string
		for _, v := range o.Values {
			values = append(values, v.Value)
		}
		field(w, "option", o.Name+"="+strings.Join(values, "|")+": "+o.Meaning)
		for _, v := range o.Values {
			if s.Usable && !v.Usable {
				field(w, "not with", o.Name+"="+v.Value+": "+v.Reason)
			}
		}
	}
}

// writeRuntimes says in which runtimes a strategy works, and why not in the
// others. Why one does not work at all is said at the top.
func writeRuntimes(w io.Writer, s listedStrategy, all []listedRuntime) {
	var names []string
	for _, r := range s.Runtimes {
		if r.Usable {
			names = append(names, r.Name)
		}
	}
	if len(names) > 0 {
		field(w, "works in", strings.Join(names, ", "))
	}
	for i, r := range s.Runtimes {
		switch {
		case r.Usable:
		case all[i].Usable:
			field(w, "not in", r.Name+": "+r.Reason)
		default:
			field(w, "not in", r.Name+": see above")
		}
	}
}

func field(w io.Writer, name, value string) { fmt.Fprintf(w, "  %-11s  %s\n", name, value) }

func here(usable bool, reason string) string {
	if usable {
		return "works here"
	}
	return "does not work here: " + reason
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// hostNeeds is what a strategy asks of the host, in words.
func hostNeeds(s listedStrategy) []string {
	placements := map[lab.Placement]string{
		lab.OwnNetns:    "a network namespace for each replica",
		lab.SharedNetns: "one network namespace for all replicas",
		lab.HostNetns:   "replicas in the host's network",
	}
	needs := []string{or(placements[s.Placement], string(s.Placement))}
	if s.Root {
		needs = append(needs, "root (CAP_NET_ADMIN)")
	}
	return append(needs, s.Probes...)
}

func spread(s listedStrategy) string {
	if s.Weighted {
		return string(s.Null) + ", by --weights if asked"
	}
	return string(s.Null)
}

func usableFrom(s listedStrategy) []string {
	var names []string
	for _, v := range s.Vantages {
		if v.Usable {
			names = append(names, string(v.Name))
		}
	}
	return names
}
