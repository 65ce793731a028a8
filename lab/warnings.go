package lab

import (
	"fmt"
	"strings"
	"time"
)

// What casts doubt on the figures of a load: the rules of [Result.Warnings].
const (
	// MostLate is the fraction of requests that may be late, as [Client] counts
	// them, before the client is said to have been too slow itself.
	MostLate = 0.01
	// MostQueued is the fraction of an open loop's requests that may have waited
	// for one of the Concurrency under way.
	MostQueued = 0.01
	// LeastPace is the fraction of its rate that an open loop must have reached.
	LeastPace = 0.95
	// MostPorts is the fraction of the client's local ports that may be left in
	// TIME-WAIT.
	MostPorts = 0.5
	// MostDrift is by which factor the median time to connect may differ between
	// the first and the last tenth of the new connections, where it also differs
	// by more than DriftTime, and a tenth is at least DriftConnections.
	MostDrift        = 2.0
	DriftTime        = 100 * time.Microsecond
	DriftConnections = 30
)

// warnings say what casts doubt on the figures, and what to do.
func (r *Result) warnings(m Measurement, samples Samples) []string {
	all := []string{}
	if r.Environment.Emulated {
		all = append(all, EmulatedWarning)
	}
	for _, w := range []string{
		r.limited(m), r.timed(r.late(m)), r.timed(r.slow(m)), r.queued(m), r.exhausting(m), r.impatient(m), r.timed(r.drifted(m, samples)),
	} {
		if w != "" {
			all = append(all, w)
		}
	}
	return all
}

// EmulatedWarning is the first warning of what was measured where the processor
// was emulated.
const EmulatedWarning = "the processor was emulated in software (QEMU's TCG): times, rates and costs say nothing of real hardware, " +
	"and claims about them are not judged; counts, shares and addresses are as they would be elsewhere"

// timed marks a warning that has a figure of time in it.
func (r *Result) timed(warning string) string {
	if warning == "" || !r.Environment.Emulated {
		return warning
	}
	return "emulated: " + warning
}

// limited: what the client ran out of says nothing about the strategy.
func (r *Result) limited(m Measurement) string {
	n := m.Faults[ClientLimit]
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the client itself ran out of ports, descriptors or memory (%s): %s failed by that, which says nothing about the strategy; "+
		"%s", orUnknown(m.Details[ClientLimit]), part(n, m.Requests), remedy(m.Details[ClientLimit]))
}

func orUnknown(detail string) string {
	if detail == "" {
		return "it is not known of which"
	}
	return detail
}

// remedy is what helps against a limit, as the system names it (errno(3)).
func remedy(detail string) string {
	switch {
	case strings.Contains(detail, "assign requested address"):
		return "keep connections with --keep-alive, take more addresses with --clients, or widen net.ipv4.ip_local_port_range"
	case strings.Contains(detail, "too many open files"):
		return "lower --concurrency, or raise the limit of open files with ulimit -n"
	}
	return "lower --concurrency or --rate"
}

func (r *Result) late(m Measurement) string {
	if !above(r.Client.Late, m.Requests, MostLate) {
		return ""
	}
	return fmt.Sprintf("the client itself was late: it began %s more than %s after they were due, though it had fewer than %d under way, "+
		"so latencies include its own delay; give it processors of its own with --cpus, or lower the load",
		part(r.Client.Late, m.Requests), LateAfter, r.Plan.Concurrency)
}

// slow compares how long requests were due with how long the client took to
// begin them: that is fair to random arrivals and to ramps.
func (r *Result) slow(m Measurement) string {
	if !r.Plan.Open() || m.Offered-m.Scheduled <= LateAfter {
		return ""
	}
	pace := float64(m.Scheduled) / float64(m.Offered)
	if pace >= LeastPace {
		return ""
	}
	return fmt.Sprintf("the load was less than planned: requests were begun at %.0f%% of the rate at which they were due, "+
		"since too many were under way or the client was late; lower --rate, or see the other warnings", 100*pace)
}

func (r *Result) queued(m Measurement) string {
	if !above(r.Client.Queued, m.Requests, MostQueued) {
		return ""
	}
	return fmt.Sprintf("%s had to wait because %d were under way, up to %d at once: the replicas did not keep up with the rate, "+
		"or --concurrency is too low for it; latencies include the wait, responses do not",
		part(r.Client.Queued, m.Requests), r.Plan.Concurrency, r.Client.Backlog)
}

// exhausting: new connections become slow, without any error, long before the
// last local port is in TIME-WAIT.
func (r *Result) exhausting(m Measurement) string {
	ports := r.Client.Ports * max(r.Plan.Clients, 1) * m.Targets
	if ports == 0 || float64(r.Client.ClosedFirst) <= MostPorts*float64(ports) {
		return ""
	}
	return fmt.Sprintf("the client closed %d connections first, each of which keeps one of its %d local ports in TIME-WAIT for a minute: "+
		"connecting becomes slow when they run out; have the server close first with --close server, keep connections with --keep-alive, "+
		"or take more addresses with --clients", r.Client.ClosedFirst, ports)
}

// drifting compares the first new connections of a load with its last.
func drifting(m Measurement, samples Samples) string {
	tenth := m.Opened / 10
	if tenth < DriftConnections {
		return ""
	}
	var first, last Distribution
	var seen Bitset
	i := 0
	for s := range samples.All() {
		if !seen.Add(s.Connection) || !opens(&s) {
			continue
		}
		if i < tenth {
			first.Record(s.Connected - s.Begun)
		} else if i >= m.Opened-tenth {
			last.Record(s.Connected - s.Begun)
		}
		i++
	}
	a, b := first.Quantile(0.5), last.Quantile(0.5)
	low, high := min(a, b), max(a, b)
	if high-low <= DriftTime || float64(high) <= MostDrift*float64(low) {
		return ""
	}
	return fmt.Sprintf("the time to connect drifted: its median was %s over the first tenth of the connections and %s over the last, "+
		"so that the load measured a state that did not last; look at ports in TIME-WAIT, at full tables of connections, and at what else ran",
		a.Round(time.Microsecond), b.Round(time.Microsecond))
}

func above(n, of int, fraction float64) bool { return float64(n) > fraction*float64(of) }

// part says how many of all requests.
func part(n, of int) string {
	share := 100 * float64(n) / float64(max(of, 1))
	return fmt.Sprintf("%d of %d requests (%.1f%%)", n, of, share)
}
