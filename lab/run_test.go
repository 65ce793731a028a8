package lab_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portlab/portlab/lab"
)

// fakeStart is when the clock of testing/synctest begins.
var fakeStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestRunGivesAWholeResultAndLeavesNothing(t *testing.T) {
	r := newRig()
	res, samples, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	r.did(t, whole...)
	each := quantilesOf(slices.Repeat([]time.Duration{time.Millisecond}, 8))
	none := quantilesOf(make([]time.Duration, 8))
	half := quantilesOf(slices.Repeat([]time.Duration{time.Millisecond}, 4))
	want := &lab.Result{
		SchemaVersion: lab.SchemaVersion, Run: "k3f5a2", Started: fakeStart,
		Command: r.Command, Strategy: "fake", Summary: about.Summary, Runtime: "fakes",
		Vantage: lab.External, Null: lab.RoundRobin, Family: lab.IPv4, Replicas: 2,
		Front: blueprint.Front, Fleet: blueprint.Replicas, Plan: r.Plan,
		Connections: 8, Requests: 8, Faults: map[lab.Fault]int{},
		Elapsed: time.Millisecond, Latency: each, Connect: each, FirstByte: each,
		Response: each, Lag: none, Warnings: []string{},
		Instances: []lab.InstanceResult{
			{Name: "foo", Connections: 4, Requests: 4, Share: 0.5, Expected: 0.5, Latency: half, Clients: []string{}},
			{Name: "bar", Connections: 4, Requests: 4, Share: 0.5, Expected: 0.5, Latency: half, Clients: []string{}},
		},
		ClientAddress: lab.AddressUnknown,
		Verdicts: []lab.Verdict{
			{Claim: "first", Outcome: lab.Held, Asked: true}, {Claim: "second", Outcome: lab.Refuted},
		},
		Environment: lab.Environment{Kernel: "6.1"},
		Timings:     lab.Timings{Total: 10 * time.Second, Open: 2 * time.Second, Load: 5 * time.Second, Close: 3 * time.Second},
		Path:        about.Path, Caveats: about.Caveats, Sources: about.Sources,
		Shell: []string{"make", "do a", "do b"}, Undo: []string{"undo b", "undo a", "unmake"},
	}
	if d := cmp.Diff(want, res, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})); d != "" {
		t.Errorf("the result differs from what is wanted (-) by (+):\n%s", d)
	}
	for i, s := range samples {
		if s.Request != i {
			t.Fatalf("sample %d is of request %d: not in the order in which they were due", i, s.Request)
		}
	}
	if len(samples) != 8 {
		t.Errorf("%d samples of 8 requests", len(samples))
	}
}

func TestRunTellsItsPhasesInOrder(t *testing.T) {
	r := newRig()
	if _, _, err := r.run(t); err != nil {
		t.Fatal(err)
	}
	var phases []lab.Phase
	noted := false
	for _, e := range r.events {
		phases = append(phases, e.Phase)
		noted = noted || e.Note == "opened" && e.Phase == lab.Opening
	}
	want := []lab.Phase{lab.Opening, lab.Exposing, lab.Probing, lab.Loading, lab.Judging, lab.Cleaning}
	if got := slices.Compact(phases); !slices.Equal(got, want) {
		t.Errorf("phases %q, want %q", got, want)
	}
	if !noted {
		t.Error("what the runtime noticed is not told")
	}
	r = newRig()
	r.Watch = nil
	if _, _, err := r.run(t); err != nil {
		t.Errorf("with nobody watching: %v", err)
	}
}

func TestRunAsksForTheFleetThatTheStrategyNeeds(t *testing.T) {
	r := newRig()
	r.strategy.needs = lab.Needs{Placement: lab.SharedNetns, ReusePort: true, Publish: lab.PublishSandbox}
	r.Vantage, r.Fleet.Family, r.Fleet.Port = lab.Peer, lab.IPv6, 1234
	if _, _, err := r.run(t); err != nil {
		t.Fatal(err)
	}
	got := r.runtime.spec
	got.Notice = nil
	want := lab.FleetSpec{
		Run: "k3f5a2", Family: lab.IPv6, Replicas: 2, Placement: lab.SharedNetns, ReusePort: true,
		Publish: lab.PublishSandbox, Vantage: lab.Peer, Port: 1234,
		Protocol: lab.HTTP1, Clients: 1,
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
		t.Error(d)
	}
}

func TestClaimsAreHeldAgainstWhatWasMeasured(t *testing.T) {
	r := newRig()
	var e lab.Evidence
	r.Claims = []lab.Claim{claim{"only", lab.Held, &e}}
	r.Strategy = talker{r.strategy}
	res, samples, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if e.Samples.Len() != len(samples) || !slices.Equal(e.Measurement.Counts(), []int{4, 4}) ||
		!slices.Equal(e.Replicas, blueprint.Replicas) || e.Null != lab.RoundRobin ||
		e.Plan != r.Plan || e.Vantage != r.Vantage || e.Workers != 3 {
		t.Errorf("the evidence is %+v", e)
	}
	if res.Workers != 3 || !slices.Equal(res.Caveats, append([]string{"beware"}, about.Caveats...)) {
		t.Errorf("%d workers, caveats %q", res.Workers, res.Caveats)
	}
}

// talker is a strategy of three workers with a warning.
type talker struct{ *strategy }

func (talker) Workers() int    { return 3 }
func (talker) Warning() string { return "beware" }

// targeter is a strategy whose clients dial the replicas.
type targeter struct {
	*strategy
	replicas []lab.Replica
}

func (d targeter) Targets(_ lab.Front, _ lab.Vantage, to []lab.Replica) []netip.AddrPort {
	var all []netip.AddrPort
	for _, r := range append(to, d.replicas...) {
		all = append(all, r.Address)
	}
	return all
}

func TestClientsDialTheFrontUnlessTheStrategySaysOtherwise(t *testing.T) {
	for v, want := range map[lab.Vantage]string{lab.OnHost: "198.19.0.1:8080", lab.Localhost: "127.0.0.1:8080"} {
		r := newRig()
		r.Vantage = v
		if _, _, err := r.run(t); err != nil {
			t.Fatal(err)
		}
		if got := r.driver.targets; !slices.Equal(got, []netip.AddrPort{netip.MustParseAddrPort(want)}) {
			t.Errorf("a client at %s dials %v, want %s", v, got, want)
		}
	}

	r := newRig()
	var more []lab.Replica
	for port := range uint16(4) {
		more = append(more, lab.Replica{Address: netip.AddrPortFrom(netip.MustParseAddr("198.18.0.9"), port+1)})
	}
	r.Strategy = targeter{r.strategy, more}
	if _, _, err := r.run(t); err != nil {
		t.Fatal(err)
	}
	if len(r.driver.targets) != 6 {
		t.Fatalf("the load went to %v, want 6 targets", r.driver.targets)
	}
	probed := map[netip.AddrPort]int{}
	for _, s := range r.driver.probes {
		probed[s.Target]++
	}
	for _, target := range r.driver.targets {
		if probed[target] < 2 {
			t.Errorf("%s was probed %d times before the load, want twice", target, probed[target])
		}
	}
}

// nowhere is a strategy whose clients have nothing to dial.
type nowhere struct{ *strategy }

func (nowhere) Targets(lab.Front, lab.Vantage, []lab.Replica) []netip.AddrPort { return nil }

func TestNothingToDialIsAnError(t *testing.T) {
	r := newRig()
	r.Strategy = nowhere{r.strategy}
	if _, _, err := r.run(t); err == nil {
		t.Error("a load was offered to nobody")
	}
	r.did(t, slices.DeleteFunc(slices.Clone(whole), func(s string) bool { return s == "load" })...)
}

func TestLoadWaitsForAnswersInARow(t *testing.T) {
	r := newRig()
	r.driver.reply = func(p lab.Plan, i int) lab.Sample {
		if p.Requests == 1 && (i < 3 || i == 7) {
			return lab.Sample{Fault: lab.Refused}
		}
		return inTurn(p, i)
	}
	res, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.driver.probes); n != 8+5 {
		t.Errorf("%d probes; the eighth failed, and five in a row must follow", n)
	}
	if res.Requests != 8 || res.Connections != 8 || len(res.Faults) != 0 {
		t.Errorf("probes are counted: %d requests, faults %v", res.Requests, res.Faults)
	}
	for _, s := range r.driver.probes {
		if s.Target != r.driver.targets[0] {
			t.Errorf("%s was probed instead of the front", s.Target)
		}
	}
}

// disposable is a fleet whose host goes with it.
type disposable struct{ fleet }

func (disposable) Disposable() {}

func TestStepsOfADisposableHostAreNotReverted(t *testing.T) {
	r := newRig()
	r.runtime.fleet = disposable{fleet{r.scene}}
	if _, _, err := r.run(t); err != nil {
		t.Fatal(err)
	}
	r.did(t, "host", "open", "apply a", "apply b", "load", "close")
	if last := r.events[len(r.events)-1]; last.Phase != lab.Cleaning {
		t.Errorf("the last that is told is %+v, want that it cleans up", last)
	}
}

// What holds a run has its result while everything stands, and what it says is
// what the run says.
func TestHoldIsCalledWhileEverythingStands(t *testing.T) {
	r := newRig()
	r.Hold = func(_ context.Context, f lab.Fleet, res *lab.Result, samples lab.Samples) error {
		if f != r.runtime.fleet || len(res.Verdicts) == 0 || samples.Len() != res.Requests {
			t.Errorf("it has %d verdicts and %d samples of %d", len(res.Verdicts), samples.Len(), res.Requests)
		}
		r.did(t, "host", "open", "apply a", "apply b", "load")
		return errSaid
	}
	if _, _, err := r.run(t); !errors.Is(err, errSaid) {
		t.Errorf("got %v, want what the hold said", err)
	}
	r.did(t, "revert b", "revert a", "close")
}

func quantilesOf(durations []time.Duration) lab.Quantiles {
	var d lab.Distribution
	for _, x := range durations {
		d.Record(x)
	}
	return d.Quantiles()
}
