package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// assertURL asks a URL and holds who answered against the claim, and that
// nothing is lost.
func (a *app) assertURL(ctx context.Context, f *assertFlags, shares claim.Shares) (*assertion, error) {
	to, err := findDestination(ctx, []string{f.url}, lab.Family(f.ip))
	if err != nil {
		return nil, err
	}
	plan := f.probe.plan
	plan.Protocol, plan.Path, plan.Seed = to.protocol, to.path, randomSeed()
	if !headless(to.protocol) {
		plan.Host = to.host
	}
	t := &lab.Trial{Plan: plan, Vantage: to.vantage(), Claims: []lab.Claim{shares, claim.NoLoss{}}, Recognise: claim.Recognise}
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	if t.Driver, err = f.probe.driver(ctx, plan); err != nil {
		return nil, err
	}
	res := newLoadResult(ctx, t, to, time.Now())
	res.Null, res.Workers = lab.Null(f.null), f.workers
	all, err := t.Offer(ctx, ownPlace{addresses: ownAddresses()}, to.targets, res)
	if err != nil {
		return nil, err
	}
	if res.Fleet, err = f.fleet(all); err != nil {
		return nil, err
	}
	res.Verdicts = t.Judge(res, res.Fold(all, nil), all)
	return &assertion{Verdicts: res.Verdicts, Behaviour: *res.Behaviour, Instances: countsOf(res)}, nil
}

func countsOf(res *lab.Result) []assertedInstance {
	var all []assertedInstance
	for _, in := range res.Instances {
		all = append(all, assertedInstance{Name: in.Name, Counted: in.Connections, Expected: in.Expected})
	}
	return all
}

// fleet is who was to answer at a URL: the instances that were named, or else
// those that did. Where nothing tells one from another, there is nothing to hold
// against anything, and a mistyped header must not pass for a balanced server.
func (f *assertFlags) fleet(all lab.Samples) ([]lab.Replica, error) {
	var answered []string
	m := lab.Measure(all, nil)
	for _, in := range m.Instances {
		answered = append(answered, in.Name)
	}
	names := f.instances
	if len(names) == 0 {
		names = answered
		slices.Sort(names)
	}
	switch {
	case m.Failed() == m.Requests:
		return nil, fmt.Errorf("no request to %s was answered: %s", f.url, firstDetail(m))
	case len(answered) == 0:
		return nil, lab.Usagef("no answer of %s says who gave it: name the header with --instance-header, or find it in the body with --instance-pattern", f.url)
	case len(names) < 2:
		return nil, lab.Usagef("%s answered all of %d requests, and no other instance is known: name them all with --instances", answered[0], m.Requests)
	}
	var fleet []lab.Replica
	weights := f.expected()
	if len(weights) > 0 && len(weights) != len(names) {
		return nil, lab.Usagef("%d weights or shares for %d instances: give one for each", len(weights), len(names))
	}
	for i, name := range names {
		r := lab.Replica{Instance: name, Weight: 1}
		if len(weights) > 0 {
			if r.Weight = weights[i]; !lab.ValidWeight(r.Weight) {
				return nil, lab.Usagef("a weight or share must be a positive number, not %v", r.Weight)
			}
		}
		fleet = append(fleet, r)
	}
	return fleet, nil
}

func firstDetail(m lab.Measurement) string {
	for _, fault := range lab.Faults() {
		if m.Faults[fault] > 0 {
			return strings.TrimSuffix(fmt.Sprintf("%s: %s", fault, m.Details[fault]), ": ")
		}
	}
	return "nothing is known of why"
}
