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
	Name        string          `json:"name"`
	Summary     string          `json:"summary"`
	Placement   lab.Placement   `json:"placement"`
	ReusePort   bool            `json:"reuse_port"`
	Root        bool            `json:"root"`
	Probes      []string        `json:"probes"` // what is looked for on the host
	Application string          `json:"application"`
	Weighted    bool            `json:"weighted"`
	Null        lab.Null        `json:"null"`
	Warning     string          `json:"warning"`
	Vantages    []listedVantage `json:"vantages"`
	Usable      bool            `json:"usable"`
	Reason      string          `json:"reason"` // why it cannot be used; empty if it can
}

type listedVantage struct {
	Name   lab.Vantage `json:"name"`
	Usable bool        `json:"usable"`
	Reason string      `json:"reason"` // why it cannot be used; empty if it can
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
	var host lab.Host
	for _, r := range a.runtimes {
		h, err := r.Host(ctx)
		l.Runtimes = append(l.Runtimes, listedRuntime{Name: r.Name(), Usable: err == nil, Reason: reason(err)})
		if host == nil && err == nil {
			host = h
		}
	}
	for _, s := range strategies.All() {
		l.Strategies = append(l.Strategies, describe(ctx, host, s))
	}
	return l
}

// describe says what a strategy needs and whether this host has it; without a
// host it cannot run.
func describe(ctx context.Context, host lab.Host, s lab.Strategy) listedStrategy {
	n := s.Needs()
	_, weighted := s.(lab.Weighted)
	d := listedStrategy{
		Name: s.Name(), Summary: s.About().Summary, Placement: n.Placement, ReusePort: n.ReusePort,
		Root: n.Root, Probes: []string{}, Application: n.Application, Weighted: weighted, Null: n.Null,
	}
	if w, ok := s.(lab.Warner); ok {
		d.Warning = w.Warning()
	}
	for _, p := range n.Probes {
		d.Probes = append(d.Probes, p.Name)
	}
	for _, v := range lab.Vantages() {
		why, no := n.NotFrom[v]
		d.Vantages = append(d.Vantages, listedVantage{Name: v, Usable: !no, Reason: why})
	}
	if host == nil {
		d.Reason = "no runtime works here"
		return d
	}
	err := lab.Probed(ctx, host, s, lab.IPv4)
	d.Usable, d.Reason = err == nil, reason(err)
	return d
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func writeListing(w io.Writer, l listing) error {
	out := bufio.NewWriter(w)
	some := false
	for _, r := range l.Runtimes {
		some = some || r.Usable
		fmt.Fprintf(out, "runtime %s: %s\n", r.Name, here(r.Usable, r.Reason))
	}
	for _, s := range l.Strategies {
		fmt.Fprintf(out, "\n%s: %s\n", s.Name, s.Summary)
		field(out, "host", strings.Join(hostNeeds(s), ", "))
		field(out, "application", or(s.Application, "nothing"))
		field(out, "spreads", spread(s))
		field(out, "from", strings.Join(usableFrom(s), ", "))
		for _, v := range s.Vantages {
			if !v.Usable {
				field(out, "not from", string(v.Name)+": "+v.Reason)
			}
		}
		if s.Warning != "" {
			field(out, "warning", s.Warning)
		}
		if some {
			field(out, "here", here(s.Usable, s.Reason))
		}
	}
	return out.Flush()
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
