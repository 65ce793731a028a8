package compare

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// How much load the runs for traits offer.
const (
	traitRequests   = 200
	keptRequests    = 20 // on each kept connection
	traitClients    = 4  // addresses, where they are looked at
	killRequests    = 400
	changeRate      = 300.0 // requests per second
	changeDuration  = 2500 * time.Millisecond
	leavesAt        = 700 * time.Millisecond
	joinsAt         = 1400 * time.Millisecond
	traitConfidence = 0.95
)

// question is how one trait is found by a run of its own.
type question struct {
	trait  string
	shape  func(*lab.Trial) // of the run, from a small load
	answer func(found *Trait, t *lab.Trial, r *lab.Result, samples lab.Samples)
}

func questions() []question {
	return []question{
		{TraitKill, killOne, lostAfterKill},
		{TraitChange, changeSet, lostInChange},
		{TraitAddress, func(t *lab.Trial) { severalClients(t, traitClients) }, addressSeen},
		{TraitLocalhost, func(t *lab.Trial) { t.Vantage = lab.Localhost }, allAnswered},
		{TraitHairpin, func(t *lab.Trial) { t.Vantage = lab.Peer }, allAnswered},
		{TraitKeepAlive, keepConnections, spreadOnKept},
		{TraitHTTP2, speak(lab.HTTP2), allAnswered},
		{TraitWebSocket, speak(lab.WebSocket), allAnswered},
		{TraitTCP, speak(lab.TCP), allAnswered},
		{TraitUDP, speak(lab.UDP), allAnswered},
		{TraitIPv6, func(t *lab.Trial) { t.Fleet.Family = lab.IPv6 }, allAnswered},
	}
}

// severalClients has the load come from several addresses, where the vantage
// has more than one.
func severalClients(t *lab.Trial, n int) {
	if t.Vantage == lab.External {
		t.Plan.Clients = n
	}
}

func speak(p lab.Protocol) func(*lab.Trial) {
	return func(t *lab.Trial) { t.Plan.Protocol = p }
}

func keepConnections(t *lab.Trial) { t.Plan.PerConnection = keptRequests }

// killOne ends the first replica before the load, with no rule changed.
// Several clients call, so that what is sticky by address meets it as well.
func killOne(t *lab.Trial) {
	t.Plan.Requests, t.Plan.Concurrency, t.Plan.Timeout = killRequests, 16, 500*time.Millisecond
	severalClients(t, 2*traitClients)
	victim := lab.InstanceName(0)
	t.Changes = []lab.Change{{
		What: victim + " is killed (SIGKILL) and no rule is changed",
		Make: func(ctx context.Context, s lab.Standing) error { return s.Kill(ctx, victim) },
	}}
}

// changeSet has the last replica leave and another one join, under an open
// loop, so that the load does not wait for what fails.
func changeSet(t *lab.Trial) {
	t.Plan.Requests, t.Plan.Duration = 0, changeDuration
	t.Plan.Rate, t.Plan.Arrivals, t.Plan.Concurrency = changeRate, lab.Poisson, 64
	severalClients(t, 2*traitClients)
	leaver := lab.InstanceName(t.Fleet.Replicas - 1)
	t.Changes = []lab.Change{
		{What: leaver + " leaves and the exposure follows", At: leavesAt,
			Make: func(ctx context.Context, s lab.Standing) error { return s.Leave(ctx, leaver) }},
		{What: "another replica joins and the exposure follows", At: joinsAt,
			Make: func(ctx context.Context, s lab.Standing) error { return s.Join(ctx) }},
	}
}

func failures(r *lab.Result) int {
	n := 0
	for _, k := range r.Faults {
		n += k
	}
	return n
}

// classes says which faults there were, the known ones in their order.
func classes(r *lab.Result) string {
	var parts []string
	for _, f := range lab.Faults() {
		if n := r.Faults[f]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, f))
		}
	}
	return strings.Join(parts, ", ")
}

// allAnswered is yes if every request was.
func allAnswered(found *Trait, _ *lab.Trial, r *lab.Result, _ lab.Samples) {
	failed := failures(r)
	found.Answer, found.Value = Yes, Yes
	found.Detail = fmt.Sprintf("All of %d requests were answered.", r.Requests)
	if failed > 0 {
		found.Answer, found.Value = No, fmt.Sprintf("loses %s", percent(failed, r.Requests))
		found.Detail = fmt.Sprintf("%d of %d requests failed: %s.", failed, r.Requests, classes(r))
	}
	if failed == r.Requests {
		found.Value = No
	}
}

// percent is a share in per cent, of two digits where it is small.
func percent(k, n int) string {
	p := 100 * float64(k) / float64(max(n, 1))
	if p > 0 && p < 9.95 {
		return fmt.Sprintf("%.1f%%", p)
	}
	return fmt.Sprintf("%.0f%%", p)
}

// lost is the share of the requests that failed, with Wilson's interval.
func lost(found *Trait, r *lab.Result, of string) {
	failed := failures(r)
	within := stat.Wilson(failed, r.Requests, traitConfidence)
	share := float64(failed) / float64(max(r.Requests, 1))
	found.Number, found.Value = &share, percent(failed, r.Requests)
	found.Detail = fmt.Sprintf("%d of %d requests failed %s (95%% interval %.1f%% to %.1f%%)", failed, r.Requests, of, 100*within.Low, 100*within.High)
	if failed > 0 {
		found.Detail += ": " + classes(r)
	}
	found.Detail += "."
}

func lostAfterKill(found *Trait, t *lab.Trial, r *lab.Result, _ lab.Samples) {
	lost(found, r, fmt.Sprintf("after one of %d replicas was killed", t.Fleet.Replicas))
}

func lostInChange(found *Trait, _ *lab.Trial, r *lab.Result, _ lab.Samples) {
	lost(found, r, "while one replica left and another joined")
}

func addressSeen(found *Trait, t *lab.Trial, r *lab.Result, _ lab.Samples) {
	switch r.ClientAddress {
	case lab.AddressKept:
		found.Answer, found.Value = Yes, "kept"
		found.Detail = fmt.Sprintf("The replicas saw each of %d client addresses as it is.", t.Plan.Clients)
	case lab.AddressLost:
		found.Answer, found.Value = No, "lost"
		found.Detail = "The replicas saw another address than the client's own."
	default:
		found.Answer, found.Value = Unknown, Unknown
		found.Detail = "The answers do not say what address the replicas saw."
	}
}

// spreadOnKept is yes if some kept connection was answered by more than one replica.
func spreadOnKept(found *Trait, _ *lab.Trial, r *lab.Result, samples lab.Samples) {
	byConnection := map[int][]string{}
	for s := range samples.All() {
		if at := byConnection[s.Connection]; s.OK() && s.Instance != "" && !slices.Contains(at, s.Instance) {
			byConnection[s.Connection] = append(at, s.Instance)
		}
	}
	if len(byConnection) == 0 {
		found.Answer, found.Value = Unknown, Unknown
		found.Detail = "No answer says which replica gave it."
		return
	}
	spread := 0
	for _, names := range byConnection {
		if len(names) > 1 {
			spread++
		}
	}
	found.Answer, found.Value = Yes, "spread"
	found.Detail = fmt.Sprintf("On %d of %d connections of up to %d requests, more than one replica answered.", spread, len(byConnection), keptRequests)
	if spread == 0 { // in the same words for all
		found.Answer, found.Value = No, "pinned"
		found.Detail = fmt.Sprintf("On no connection of up to %d requests, more than one replica answered.", keptRequests)
	}
	if failed := failures(r); failed > 0 {
		found.Detail += fmt.Sprintf(" %d of %d requests failed: %s.", failed, r.Requests, classes(r))
	}
}
