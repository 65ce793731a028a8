package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// costs says in a line what the load took; empty where it is not known.
func costs(r *lab.Result) string {
	c := r.Cost
	if c == nil || r.Requests == 0 {
		return ""
	}
	parts := []string{fmt.Sprintf("%s: client %s, path %s, replicas %s", timed(r.Environment, "CPU a request"), each(c.Client, r), ofPath(r), each(c.Replicas, r)),
		timed(r.Environment, "memory") + ": replicas " + size(c.ReplicasMemoryBytes)}
	if c.SidecarsMemoryBytes > 0 {
		parts = append(parts, "proxies "+size(c.SidecarsMemoryBytes))
	}
	return strings.Join(parts, ", ")
}

// leastRest is the least busy time of the machine that is told: it is counted in
// ticks of 10 ms (proc(5), /proc/stat), of which a short load has a few.
const leastRest = 50 * time.Millisecond

// ofPath is a request's part of the time that the path took.
func ofPath(r *lab.Result) string {
	switch c := r.Cost; {
	case c.Rest >= leastRest:
		return each(c.Path(), r)
	case c.Sidecars > 0:
		return each(c.Sidecars, r)
	}
	return "too little to be told"
}

// each is a request's part of a time.
func each(d time.Duration, r *lab.Result) string {
	return span(d / time.Duration(max(r.Requests, 1)))
}

// cost shows what the load took of processors and memory.
func (p *page) cost(r *lab.Result) {
	c := r.Cost
	if c == nil || r.Requests == 0 {
		return
	}
	p.heading(2, "Cost")
	p.block("Processor time from the first request to the last answer, and memory (proportional set size) after it. " +
		"The kernel's work on the path is charged to whoever's system call it runs in, most of it to client and replicas.")
	g := &grid{aligns: []align{left, right, right, right}, headings: []string{"of"}}
	for _, what := range []string{"CPU a request", "CPU in all", "memory"} {
		g.headings = append(g.headings, timed(r.Environment, what))
	}
	row := func(of string, d time.Duration, memory string) { g.add(of, each(d, r), span(d), memory) }
	row("client", c.Client, none)
	if c.Sidecars > 0 || c.SidecarsMemoryBytes > 0 {
		row("path: proxies", c.Sidecars, size(c.SidecarsMemoryBytes))
	}
	row("path: nobody's, and other programs'", c.Rest, none)
	row("replicas", c.Replicas, size(c.ReplicasMemoryBytes))
	row("the whole machine, busy", c.Machine, none)
	if c.Stolen > 0 {
		row("taken by the hypervisor", c.Stolen, none)
	}
	p.table(g)
}

// size writes a size with three significant digits and a unit of IEC 80000-13.
func size(n uint64) string {
	x, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if x < 1000 {
			break
		}
		x, unit = x/1024, next
	}
	return digits(x, 3) + " " + unit
}
