package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// corrected says whether latency and response differ by more than nothing: in
// an open loop, and where the client began late.
func corrected(r *lab.Result) bool {
	return r.Latency.Count > 0 && (r.Plan.Open() || r.Lag.P99 > lab.LateAfter)
}

// clientFacts are what the client says of itself, as far as it says something.
func clientFacts(r *lab.Result) []string {
	c := r.Client
	var parts []string
	add := func(n int, format string, args ...any) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	if m := c.Machine; m != nil && !m.SharesKernel {
		parts = append(parts, "on another machine")
	}
	if cpu := cpuPerRequest(r); cpu > 0 {
		parts = append(parts, span(cpu)+" of "+timed(r.Environment, "CPU a request"))
	}
	add(c.Late, "late with %s", whole(c.Late))
	add(c.Queued, "%s had to wait, at most %s at once", whole(c.Queued), whole(c.Backlog))
	if 10*c.ClosedFirst > c.Ports { // else its ports last
		add(c.ClosedFirst, "closed %s first", plural(c.ClosedFirst, "connection"))
	}
	return parts
}

// cpuPerRequest is the client's processor time by request; 0 if it is not known.
func cpuPerRequest(r *lab.Result) time.Duration {
	return r.Client.CPU() / time.Duration(max(r.Requests, 1))
}

// datagrams says what UDP did; empty for other protocols.
func datagrams(r *lab.Result) string {
	if r.Plan.Protocol != lab.UDP || r.Requests == 0 {
		return ""
	}
	lost := r.Faults[lab.ReadTimeout]
	return fmt.Sprintf("%s of %s without an answer in time (%s), %s, %s reordered", whole(lost), whole(r.Requests),
		percent(float64(lost)/float64(r.Requests)), plural(r.Duplicates, "duplicate"), whole(r.Reordered))
}

// doubts shows the warnings, before everything that they cast doubt on.
func (t *terminal) doubts(r *lab.Result) {
	for _, w := range r.Warnings {
		lead := "  warning: "
		for _, line := range wrap(strings.Fields(printable(w)), textWidth-len(lead)) {
			t.line("%s", t.paint(lead+line, amberPaint))
			lead = strings.Repeat(" ", len(lead))
		}
	}
	if len(r.Warnings) > 0 {
		t.line("")
	}
}

// offered tells the load, where it is not the usual one, and what the client
// says of it.
func (t *terminal) offered(r *lab.Result) {
	if !plain(r.Plan) {
		t.wrapped("  load            ", load(r.Plan))
	}
	if facts := clientFacts(r); len(facts) > 0 {
		t.wrapped("  client          ", strings.Join(facts, "; "))
	}
	if s := datagrams(r); s != "" {
		t.wrapped("  datagrams       ", s)
	}
}

// doubts shows the warnings, before everything that they cast doubt on.
func (p *page) doubts(r *lab.Result) {
	if len(r.Warnings) == 0 {
		return
	}
	p.heading(2, "Warnings")
	p.list(r.Warnings)
}

// client shows what the client says of itself.
func (p *page) client(r *lab.Result) {
	c := r.Client
	if c.Driver == "" {
		return
	}
	p.heading(2, "Client")
	g := &grid{aligns: []align{left, left}, headings: []string{"what", "value"}}
	g.add("driver", cell(c.Driver))
	if c.Machine != nil {
		g.add("machine", cell(c.Machine.String()))
	}
	if len(c.CPUs) > 0 {
		g.add("bound to CPUs", strings.ReplaceAll(strings.Trim(fmt.Sprint(c.CPUs), "[]"), " ", ", "))
	}
	if cpu := cpuPerRequest(r); cpu > 0 {
		g.add(timed(r.Environment, "CPU time"), fmt.Sprintf("%s a request; %s in all, of which %s in the kernel", span(cpu), span(c.CPU()), span(c.SystemCPU)))
	}
	g.add("requests begun late by itself", whole(c.Late))
	if r.Plan.Open() {
		g.add("requests that had to wait", fmt.Sprintf("%s; at most %s at once", whole(c.Queued), whole(c.Backlog)))
	}
	g.add("connections that it closed first", whole(c.ClosedFirst))
	if c.Ports > 0 {
		g.add("local ports to each target", whole(c.Ports))
	}
	p.table(g)
}
