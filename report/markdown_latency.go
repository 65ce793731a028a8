package report

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/portlab/portlab/lab"
)

func (p *page) latency(r *lab.Result) {
	p.heading(2, "Latency")
	if r.Latency.Count == 0 {
		p.block("No request was answered, so there is no latency.")
		return
	}
	p.block("From the time at which a request was due, over the requests that were answered:")
	p.table(phases(r))
	if g := pieces(r); len(g.rows) > 0 {
		p.block("Of that:")
		p.table(g)
	}
	if rows := latencyRows(r); len(rows) > 0 {
		p.block(byInstance(r, rows))
		g := quantileGrid("instance")
		for _, in := range rows {
			addQuantiles(g, r.Environment, cell(in.Name), in.Latency)
		}
		p.table(g)
	} else {
		p.block("By instance it is not known: the answers do not say who gave them.")
	}
	p.latencyPlot(r)
	for _, v := range r.Verdicts {
		if aboutLatency(v) {
			p.figures(v)
		}
	}
}

func (p *page) latencyPlot(r *lab.Result) {
	if err := plotless(r); err != nil {
		p.block("There is no plot: " + err.Error() + ".")
		return
	}
	p.block(fmt.Sprintf("![%s](%s)", timed(r.Environment, "Distribution of the latency by instance"), latencyFile))
}

func (p *page) overTime(r *lab.Result, plots map[string]picture) {
	if _, there := plots[timelineFile]; !there {
		return
	}
	p.heading(2, "Over time")
	p.block("What became of the requests, by when they were due. Where some failed, the time is coloured.")
	p.block(fmt.Sprintf("![%s](%s)", timed(r.Environment, "Requests and their latency over time"), timelineFile))
}

func phases(r *lab.Result) *grid {
	g := quantileGrid("until")
	if r.Connect.Max > 0 { // else all connections stood before
		addQuantiles(g, r.Environment, "connected", r.Connect)
	}
	addQuantiles(g, r.Environment, "first byte", r.FirstByte)
	addQuantiles(g, r.Environment, "whole answer", r.Latency)
	return g
}

// pieces are what latency is made of, as far as they tell something: the
// response, which is latency without the client's own queue and delay, these
// two alone, and the replica's own time, apart from the way to it.
func pieces(r *lab.Result) *grid {
	g := quantileGrid("part")
	if corrected(r) {
		addQuantiles(g, r.Environment, "begun by the client to whole answer (uncorrected latency)", r.Response)
		addQuantiles(g, r.Environment, "due to begun by the client (lag, of all requests)", r.Lag)
	}
	if r.Service.Count > 0 {
		addQuantiles(g, r.Environment, "in the replica itself", r.Service)
	}
	return g
}

// slowestRows is how many instances are listed where there are too many to
// list them all.
const slowestRows = 10

// latencyRows are the instances to list: all, in the fleet's order, or the
// slowest of many. There are none where no answer says who gave it.
func latencyRows(r *lab.Result) []lab.InstanceResult {
	answering := byMedian(r.Instances)
	switch {
	case len(answering) == 0:
		return nil
	case len(r.Instances) <= tableRows:
		return r.Instances
	}
	_, slowest := extremes(answering, slowestRows)
	slices.Reverse(slowest)
	return slowest
}

// byMedian are the instances that answered, from the lowest median latency to
// the highest.
func byMedian(instances []lab.InstanceResult) []lab.InstanceResult {
	silent := func(in lab.InstanceResult) bool { return in.Latency.Count == 0 }
	sorted := slices.DeleteFunc(slices.Clone(instances), silent)
	slices.SortStableFunc(sorted, func(a, b lab.InstanceResult) int { return cmp.Compare(a.Latency.P50, b.Latency.P50) })
	return sorted
}

func byInstance(r *lab.Result, rows []lab.InstanceResult) string {
	if len(rows) < len(r.Instances) {
		return fmt.Sprintf("Until the whole answer, by instance: the %d with the highest median of %s; %s has them all:",
			len(rows), plural(len(r.Instances), "instance"), resultFile)
	}
	return "Until the whole answer, by instance:"
}

// quantileGrid is a table whose columns are quantiles.
func quantileGrid(what string) *grid {
	return &grid{
		aligns:   []align{left, right, right, right, right, right, right},
		headings: []string{what, "count", "p50", "p90", "p99", "p99.9", "max"},
	}
}

// addQuantiles adds a row; what was never observed is a dash.
func addQuantiles(g *grid, e lab.Environment, name string, q lab.Quantiles) {
	name = timed(e, name)
	if q.Count == 0 {
		g.add(name, "0", none, none, none, none, none)
		return
	}
	g.add(name, whole(q.Count), span(q.P50), span(q.P90), span(q.P99), span(q.P999), span(q.Max))
}

func (p *page) faults(r *lab.Result, samples lab.Samples) {
	p.heading(2, "Faults")
	if r.Requests == 0 {
		p.block("No request was made.")
		return
	}
	if s := datagrams(r); s != "" {
		p.block(capital("requests: " + s + "."))
	}
	if failed(r) == 0 {
		p.block(fmt.Sprintf("None in %s.", plural(r.Requests, "request")))
		return
	}
	details := firstDetails(samples, len(r.Faults))
	g := &grid{aligns: []align{left, right, right, left}, headings: []string{"class", "requests", "share", "first seen"}}
	for _, f := range faultClasses(r) {
		g.add(cell(string(f)), whole(r.Faults[f]), percent(float64(r.Faults[f])/float64(r.Requests)), orWord(cell(details[f]), none))
	}
	p.table(g)
}

// firstDetails is what the system said of the first fault of each of n classes.
func firstDetails(samples lab.Samples, n int) map[lab.Fault]string {
	details := map[lab.Fault]string{}
	for s := range samples.All() {
		if _, seen := details[s.Fault]; !seen && s.Detail != "" {
			details[s.Fault] = s.Detail
		}
		if len(details) == n {
			break
		}
	}
	return details
}
