package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// writeMarkdown writes report.md, which shows those of its plots that there are.
func writeMarkdown(w io.Writer, r *lab.Result, samples lab.Samples, plots map[string]picture) error {
	p := &page{}
	p.question(r)
	p.doubts(r)
	p.verdicts(r)
	p.environment(r.Environment)
	if r.Runtime != lab.NoRuntime {
		p.path(r)
		p.byHand(r)
	}
	p.distribution(r)
	p.latency(r)
	p.overTime(r, plots)
	p.cost(r)
	p.client(r)
	p.faults(r, samples)
	p.caveats(r)
	p.timings(r)
	p.reproduce(r)
	_, err := io.WriteString(w, strings.TrimRight(p.String(), "\n")+"\n")
	return err
}

// title is what a report is called; it is text of outside.
func title(r *lab.Result) string {
	if r.Runtime == lab.NoRuntime {
		return timed(r.Environment, r.Summary)
	}
	return fmt.Sprintf("%s: %s behind one port", timed(r.Environment, r.FullName()+" on "+r.Runtime), plural(r.Replicas, "replica"))
}

func (p *page) question(r *lab.Result) {
	if r.Runtime == lab.NoRuntime {
		p.loadQuestion(r)
		return
	}
	p.heading(1, prose(title(r)))
	p.heading(2, "Question")
	p.block(fmt.Sprintf("A client on %s makes %s, %s, to %s behind one port. "+
		"How does %s spread the connections, how long do the requests take, and is any lost?",
		standsAt(r.Vantage), amount(r.Plan), perConnection(r.Plan), plural(r.Replicas, "replica"), prose(r.FullName())))
	g := &grid{aligns: []align{left, left}, headings: []string{"what", "value"}}
	g.add("strategy", cell(r.Strategy+": "+r.Summary))
	for _, name := range sortedKeys(r.Settings) {
		g.add("option "+cell(name), cell(r.Settings[name]))
	}
	g.add("meant to spread", cell(spreads(r.Null)))
	if r.Workers > 0 && r.Null == lab.RoundRobin {
		g.add("workers that keep a turn", whole(r.Workers))
	}
	g.add("runtime, vantage", cell(fmt.Sprintf("%s, %s (%s)", r.Runtime, r.Vantage, standsAt(r.Vantage))))
	if s := impairedPath(r); s != "" {
		g.add("path to the client", cell(s))
	}
	g.add("front", cell(frontOf(r)))
	if r.Image != "" {
		g.add("server", cell(r.Image))
	}
	g.add("load", cell(load(r.Plan)))
	p.table(g)
}

// loadQuestion is that of a load on a server that ran already.
func (p *page) loadQuestion(r *lab.Result) {
	p.heading(1, prose(title(r)))
	p.heading(2, "Question")
	p.block(fmt.Sprintf("A client on %s makes %s, %s, to a server that runs already. "+
		"How long do the requests take, who answers them, and is any lost?",
		standsAt(r.Vantage), amount(r.Plan), perConnection(r.Plan)))
	g := &grid{aligns: []align{left, left}, headings: []string{"what", "value"}}
	g.add("instances", whole(r.Replicas))
	g.add("vantage", cell(fmt.Sprintf("%s (%s)", r.Vantage, standsAt(r.Vantage))))
	g.add("load", cell(load(r.Plan)))
	p.table(g)
}

func frontOf(r *lab.Result) string {
	s := fmt.Sprintf("port %d", r.Front.Port)
	if ends := r.Front.Endpoints(); len(ends) > 0 {
		names := make([]string, len(ends))
		for i, e := range ends {
			names[i] = e.String()
		}
		s = strings.Join(names, ", ")
	}
	if r.Family != 0 {
		s += fmt.Sprintf(", IPv%d", r.Family)
	}
	return s
}

func (p *page) path(r *lab.Result) {
	p.heading(2, "Path of a packet")
	if len(r.Path) == 0 {
		p.block("The strategy does not describe it.")
	}
	p.numbered(r.Path)
	if len(r.Sources) > 0 {
		p.block("Where the mechanism is documented:")
		p.list(r.Sources)
	}
}

func (p *page) byHand(r *lab.Result) {
	p.heading(2, "The same by hand")
	if len(r.Shell) == 0 {
		p.block("There is nothing to do by hand: the strategy changes nothing.")
		return
	}
	p.block("As root, on the host. It makes what the run made:")
	p.commands(r.Shell)
	if len(r.Undo) > 0 {
		p.block("And back:")
		p.commands(r.Undo)
	}
}

func (p *page) caveats(r *lab.Result) {
	p.heading(2, "Caveats")
	if len(r.Caveats) == 0 {
		p.block("None is known.")
	}
	p.list(r.Caveats)
}

func (p *page) timings(r *lab.Result) {
	p.heading(2, "Where the wall time went")
	t := r.Timings
	g := &grid{aligns: []align{left, right, right}, headings: []string{"phase", timed(r.Environment, "time"), timed(r.Environment, "share")}}
	rest := t.Total
	for _, phase := range []struct {
		name string
		took time.Duration
	}{
		{"take dead runs away", t.Sweep},
		{"start host and replicas", t.Open},
		{"expose", t.Expose},
		{"wait until the front answers", t.Probe},
		{"load", t.Load},
		{"test", t.Judge},
		{"revert the steps", t.Revert},
		{"close replicas and host", t.Close},
	} {
		if phase.took == 0 {
			continue // there was no such phase
		}
		rest -= phase.took
		g.add(phase.name, span(phase.took), fraction(phase.took, t.Total))
	}
	if rest > 0 {
		g.add("everything else", span(rest), fraction(rest, t.Total))
	}
	g.add("total", span(t.Total), fraction(t.Total, t.Total))
	p.table(g)
}

func fraction(part, of time.Duration) string {
	if of <= 0 {
		return none
	}
	return percent(float64(part) / float64(of))
}

func (p *page) reproduce(r *lab.Result) {
	p.heading(2, "How to reproduce")
	if len(r.Command) > 0 {
		words := make([]string, len(r.Command))
		for i, w := range r.Command {
			words[i] = quote(w)
		}
		p.block(fence([]string{strings.Join(words, " ")}))
	}
	p.block(fmt.Sprintf("Run %s, started %s, seed %d. `portlab report` on this folder makes this report again from "+
		"`%s`, every request, and `%s`; with `--csv` it gives out a row for each.",
		prose(string(r.Run)), r.Started.UTC().Format("2006-01-02 15:04:05 MST"), r.Plan.Seed, samplesFile, resultFile))
}
