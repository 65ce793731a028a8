package report

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

// standsAt says where a client at a vantage stands.
func standsAt(v lab.Vantage) string {
	switch v {
	case lab.External:
		return "another machine on the LAN"
	case lab.OnHost:
		return "the host itself, by its LAN address"
	case lab.Localhost:
		return "the host itself, by its loopback address"
	case lab.Peer:
		return "a replica"
	}
	return "vantage " + string(v)
}

// spreads says what a strategy is meant to do with connections.
func spreads(n lab.Null) string {
	switch n {
	case lab.Random:
		return "each connection at random, independently of the others"
	case lab.Hash:
		return "by a hash of each connection's addresses and ports"
	case lab.HashAddress:
		return "by a hash of the client's address"
	case lab.RoundRobin:
		return "in turn"
	case lab.LeastConnections:
		return "to the replica with the fewest connections"
	case lab.AcceptRace:
		return "to whichever replica accepts first"
	case lab.Single:
		return "all to one replica"
	}
	return string(n)
}

// addressSeen says what the replicas saw of the client's address.
func addressSeen(a lab.ClientAddress) string {
	switch a {
	case lab.AddressKept:
		return "kept: the replicas saw the client's own"
	case lab.AddressLost:
		return "lost: the replicas saw another address than the client's own"
	}
	return "unknown: the answers do not say what the replicas saw"
}

// finding writes a verdict's figures: statistic, p-value, effect, interval, n.
func finding(v lab.Verdict) []string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case v.Statistic != nil:
		add("%s = %s", orWord(v.Test, "statistic"), figure(*v.Statistic, 4))
	case v.Test != "":
		add("%s", v.Test)
	}
	if v.PValue != nil {
		add("%s", pValue(*v.PValue))
	}
	if v.Effect != nil {
		add("%s = %s", orWord(v.EffectName, "effect"), figure(*v.Effect, 3))
	}
	if v.Interval != nil {
		add("%sinterval %s", confidence(v), interval(v))
	}
	if v.N > 0 {
		add("n = %s", whole(v.N))
	}
	return parts
}

// gist is the part of a finding that fits into a line beside the claim.
func gist(v lab.Verdict) []string {
	v.Test, v.Statistic, v.Interval = "", nil, nil
	return finding(v)
}

// confidence is that of a verdict's intervals, as a word before "interval";
// empty if it is not known.
func confidence(v lab.Verdict) string {
	if v.Confidence <= 0 {
		return ""
	}
	return figure(100*v.Confidence, 4) + "% "
}

// interval writes a verdict's confidence interval.
func interval(v lab.Verdict) string {
	if v.Interval == nil {
		return none
	}
	return fmt.Sprintf("%s to %s", figure(v.Interval[0], 3), figure(v.Interval[1], 3))
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// aboutLatency says whether a verdict belongs to the latency: a [lab.Verdict]
// names its subject in its claim, and in nothing else.
func aboutLatency(v lab.Verdict) bool {
	return strings.Contains(strings.ToLower(v.Claim+" "+v.Test), "latency")
}

// sharesOf gives the first verdict on the shares of all instances, or nil.
func sharesOf(r *lab.Result) *lab.Verdict {
	for i := range r.Verdicts {
		if len(r.Verdicts[i].Shares) > 0 {
			return &r.Verdicts[i]
		}
	}
	return nil
}

// failed is the number of requests with a fault.
func failed(r *lab.Result) int {
	n := 0
	for _, k := range r.Faults {
		n += k
	}
	return n
}

// faultClasses are the classes that occurred: those that are known in their
// order, then any other by name.
func faultClasses(r *lab.Result) []lab.Fault {
	var classes []lab.Fault
	known := map[lab.Fault]bool{}
	for _, f := range lab.Faults() {
		known[f] = true
		if r.Faults[f] > 0 {
			classes = append(classes, f)
		}
	}
	for _, f := range sortedKeys(r.Faults) {
		if !known[f] {
			classes = append(classes, f)
		}
	}
	return classes
}
