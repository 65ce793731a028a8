package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// Merge makes one result of those of several runs of the same trial, as if
// they had been one load after the other. It is to be folded from
// [lab.Concat] of their samples, and its claims to be judged anew. Plan, counts
// from outside, and what the clients say of themselves are added up; the rest is
// that of the first.
//
// It returns a [lab.UsageError] that says what differs if the runs are not of
// the same trial. Seeds and addresses may differ.
func Merge(runs []*lab.Result) (*lab.Result, error) {
	merged := *runs[0]
	merged.Instances = slices.Clone(merged.Instances)
	merged.Environment.Notes = append(slices.Clone(merged.Environment.Notes), mergeNote(runs))
	for _, r := range runs[1:] {
		if what, a, b := difference(runs[0], r); what != "" {
			return nil, lab.Usagef("the runs %s and %s cannot be merged: they differ in their %s: %s and %s", runs[0].Run, r.Run, what, a, b)
		}
		merged.Plan.Requests += r.Plan.Requests
		merged.Plan.Duration += r.Plan.Duration
		addClient(&merged.Client, r.Client)
		merged.Cost = addCost(merged.Cost, r.Cost)
		addTimings(&merged.Timings, r.Timings)
		for i := range merged.Instances {
			merged.Instances[i].Connections += connectionsOf(r, merged.Instances[i].Name)
		}
	}
	return &merged, nil
}

func mergeNote(runs []*lab.Result) string {
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = string(r.Run)
	}
	return fmt.Sprintf("Merged from the runs %s. The environment is that of the first.", strings.Join(names, ", "))
}

// difference is the first thing in which two runs are not of one trial, and
// what it is in each; nothing if there is none.
func difference(a, b *lab.Result) (what, inA, inB string) {
	for _, x := range []struct {
		what string
		of   func(*lab.Result) string
	}{
		{"strategy", (*lab.Result).FullName},
		{"settings", func(r *lab.Result) string { return settings(r.Settings) }},
		{"runtime", func(r *lab.Result) string { return r.Runtime }},
		{"vantage", func(r *lab.Result) string { return string(r.Vantage) }},
		{"server", func(r *lab.Result) string { return orWord(r.Image, "portlab's own") }},
		{"processor", processorOf},
		{"fleet", fleetOf},
		{"plan", planOf},
		{"impairments of the path", func(r *lab.Result) string { return fmt.Sprint(r.Impairments) }},
		{"way of counting", func(r *lab.Result) string {
			if r.CountedOutside {
				return "from outside"
			}
			return "by the answers"
		}},
	} {
		if p, q := x.of(a), x.of(b); p != q {
			return x.what, p, q
		}
	}
	return "", "", ""
}

// processorOf tells an emulated processor from a real one: their times have
// nothing to do with each other.
func processorOf(r *lab.Result) string {
	if r.Environment.Emulated {
		return emulated
	}
	return "not " + emulated
}

// fleetOf tells replicas by their names and weights: addresses change from run
// to run.
func fleetOf(r *lab.Result) string {
	parts := []string{fmt.Sprintf("IPv%d", r.Family)}
	for _, replica := range r.Fleet {
		parts = append(parts, fmt.Sprintf("%s %s", replica.Instance, figure(replica.Weight, 6)))
	}
	return strings.Join(parts, ", ")
}

// planOf is all of a plan but its seed.
func planOf(r *lab.Result) string {
	p := r.Plan
	return fmt.Sprintf("%s, %s, %s, %s", load(p), cmp.Or(p.Host, none), cmp.Or(p.InstanceHeader, none), cmp.Or(p.InstancePattern, none))
}

func addClient(sum *lab.Client, c lab.Client) {
	sum.UserCPU += c.UserCPU
	sum.SystemCPU += c.SystemCPU
	sum.Late += c.Late
	sum.Queued += c.Queued
	sum.Backlog = max(sum.Backlog, c.Backlog)
	sum.ClosedFirst += c.ClosedFirst
}

// addCost is what two loads took together; nil unless it is known of both. The
// memory is the larger.
func addCost(a, b *lab.Cost) *lab.Cost {
	if a == nil || b == nil {
		return nil
	}
	return &lab.Cost{
		Client: a.Client + b.Client, Replicas: a.Replicas + b.Replicas, Sidecars: a.Sidecars + b.Sidecars,
		Rest: a.Rest + b.Rest, Machine: a.Machine + b.Machine, Stolen: a.Stolen + b.Stolen,
		ReplicasMemoryBytes: max(a.ReplicasMemoryBytes, b.ReplicasMemoryBytes),
		SidecarsMemoryBytes: max(a.SidecarsMemoryBytes, b.SidecarsMemoryBytes),
	}
}

func settings(all map[string]string) string {
	pairs := []string{}
	for _, name := range sortedKeys(all) {
		pairs = append(pairs, name+"="+all[name])
	}
	return orWord(strings.Join(pairs, ","), none)
}

func addTimings(sum *lab.Timings, t lab.Timings) {
	for _, x := range []struct {
		sum *time.Duration
		add time.Duration
	}{
		{&sum.Total, t.Total}, {&sum.Sweep, t.Sweep}, {&sum.Open, t.Open}, {&sum.Expose, t.Expose}, {&sum.Probe, t.Probe},
		{&sum.Load, t.Load}, {&sum.Judge, t.Judge}, {&sum.Revert, t.Revert}, {&sum.Close, t.Close},
	} {
		*x.sum += x.add
	}
}

func connectionsOf(r *lab.Result, instance string) int {
	for _, in := range r.Instances {
		if in.Name == instance {
			return in.Connections
		}
	}
	return 0
}
