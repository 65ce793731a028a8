package strategies

import (
	"context"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/step"
)

// What every strategy must do, whatever it is.

func TestStrategyIsDescribed(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	for _, s := range Variants() {
		t.Run(lab.FullName(s), func(t *testing.T) {
			if !name.MatchString(s.Name()) {
				t.Error("a name is lower case, words joined by hyphens")
			}
			a := s.About()
			if a.Summary == "" || len(a.Path) == 0 || len(a.Caveats) == 0 || len(a.Sources) == 0 {
				t.Errorf("summary, path, caveats and sources must all be there: %+v", a)
			}
			checkNeeds(t, s.Needs())
			if w, ok := s.(lab.Warner); ok && w.Warning() == "" {
				t.Error("it warns of nothing")
			}
			if w, ok := s.(lab.Concurrent); ok && (w.Workers() < 1 || !takesTurns(s.Name())) {
				t.Errorf("%d workers keep a turn, and no setting has one", w.Workers())
			}
		})
	}
}

// takesTurns says whether a variant of a strategy is round robin.
func takesTurns(name string) bool {
	return slices.ContainsFunc(Variants(), func(s lab.Strategy) bool { return s.Name() == name && s.Needs().Null == lab.RoundRobin })
}

// Settings that are taken apart again come to the same strategy, and are all
// that differs between two variants.
func TestVariantIsFoundByItsName(t *testing.T) {
	for _, s := range Variants() {
		found, err := Find(lab.FullName(s))
		if err != nil || !reflect.DeepEqual(found, s) {
			t.Errorf("Find(%q) = %+v, %v; want %+v", lab.FullName(s), found, err, s)
		}
	}
}

func checkNeeds(t *testing.T, n lab.Needs) {
	t.Helper()
	nulls := map[lab.Null]bool{
		lab.Random: true, lab.Hash: true, lab.HashAddress: true, lab.RoundRobin: true, lab.LeastConnections: true, lab.AcceptRace: true, lab.Single: true,
	}
	if !nulls[n.Null] {
		t.Errorf("unknown null %q", n.Null)
	}
	placements := map[lab.Placement]bool{lab.OwnNetns: true, lab.SharedNetns: true, lab.HostNetns: true}
	if !placements[n.Placement] {
		t.Errorf("unknown placement %q", n.Placement)
	}
	if (n.ReusePort || n.Inherit != lab.InheritNone || n.SharedAddress) != (n.Application != "") {
		t.Errorf("SO_REUSEPORT is asked for: %v, to inherit: %q, and the application is told: %q", n.ReusePort, n.Inherit, n.Application)
	}
	if n.ReusePort && n.Inherit != lab.InheritNone {
		t.Error("the application cannot set SO_REUSEPORT on a socket that it inherits")
	}
	for _, not := range []map[lab.Vantage]string{n.NotFrom, n.NotFromIPv6, n.OneClient} {
		for v, why := range not {
			if _, err := lab.ParseVantage(string(v)); err != nil || why == "" {
				t.Errorf("not from %q, because %q", v, why)
			}
		}
	}
	for p, why := range n.NotFor {
		if _, err := lab.ParseProtocol(string(p)); err != nil || why == "" {
			t.Errorf("not for %q, because %q", p, why)
		}
	}
	if !slices.ContainsFunc(lab.Protocols(), func(p lab.Protocol) bool { return n.WhyNotFor(p) == "" }) {
		t.Error("it carries nothing")
	}
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		if !slices.ContainsFunc(lab.Vantages(), func(v lab.Vantage) bool { return n.WhyNotFrom(v, ip) == "" }) {
			t.Errorf("it works from nowhere with IPv%d", ip)
		}
	}
	for _, p := range n.Probes {
		if p.Name == "" || p.Check == nil {
			t.Errorf("a probe without a name or a check: %+v", p)
		}
	}
}

func TestStepsIsPure(t *testing.T) {
	everyStrategy(t, func(t *testing.T, s lab.Strategy, p place, n int) {
		first, second := p.steps(t, s, p.replicas(0, n)), p.steps(t, s, p.replicas(0, n))
		if !reflect.DeepEqual(first, second) {
			t.Errorf("same input, other steps:\n%s", cmp.Diff(first, second))
		}
		seen := map[string]bool{}
		for _, st := range first {
			if seen[st.ID()] {
				t.Errorf("two steps of one ID: %s", st.ID())
			}
			seen[st.ID()] = true
			if len(st.Shell())+len(st.Undo()) == 0 {
				t.Errorf("%s cannot be done by hand", st.ID())
			}
		}
	})
}

func TestApplyAndRevertLeavesNothing(t *testing.T) {
	everyStrategy(t, func(t *testing.T, s lab.Strategy, p place, n int) {
		h, steps := p.host(t), p.steps(t, s, p.replicas(0, n))
		x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, steps)
		if err != nil {
			t.Fatal(err)
		}
		if h.Mutations() > 0 && !s.Needs().Root && !onlySidecars(steps) && !leftToSteps(s) && !forAnyUser(steps) {
			t.Error("it changes the host's network and does not say that it needs root")
		}
		if tracksFlows(steps) {
			for _, at := range p.called(s) {
				for _, r := range p.replicas(0, n) {
					h.Track(labtest.Flow{Transport: p.facts.Transport, Front: at, Replica: r.Address})
				}
			}
		}
		for range 2 {
			if err := x.Revert(t.Context()); err != nil {
				t.Errorf("revert: %v", err)
			}
		}
		for _, st := range steps {
			if err := st.Revert(t.Context(), h); err != nil {
				t.Errorf("revert what is not applied: %s: %v", st.ID(), err)
			}
		}
		h.AssertPristine(t)
	})
}

// leftToSteps says whether the steps only do what a runtime does elsewhere.
func leftToSteps(s lab.Strategy) bool { return s.Needs().Publish == lab.PublishSandbox }

// forAnyUser says whether the steps only set a program on sockets of one's own.
func forAnyUser(steps []lab.Step) bool {
	return !slices.ContainsFunc(steps, func(st lab.Step) bool {
		b, ok := st.(step.BPF)
		return !ok || b.Hook != lab.BPFReuseportClassic
	})
}

// tracksFlows says whether the kernel tracks the connections by these steps.
func tracksFlows(steps []lab.Step) bool {
	return slices.ContainsFunc(steps, func(st lab.Step) bool {
		switch st.(type) {
		case step.Flows, step.Table:
			return true
		}
		return false
	})
}

func onlySidecars(steps []lab.Step) bool {
	return !slices.ContainsFunc(steps, func(st lab.Step) bool { _, ok := st.(step.Sidecar); return !ok })
}

// A fault at any change while exposing, and at any change while reverting,
// leaves nothing; in the second case once the revert is tried again.
func TestFaultAtAnyChangeLeavesNothing(t *testing.T) {
	everyStrategy(t, func(t *testing.T, s lab.Strategy, p place, n int) {
		steps := p.steps(t, s, p.replicas(0, n))
		for at := 1; ; at += stride(steps) {
			h := p.host(t)
			h.FailAt(at)
			x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, steps)
			if err == nil {
				h.FailAt(0)
				faultWhileReverting(t, p, steps, x, h)
				return
			}
			if !errors.Is(err, labtest.ErrInjected) {
				t.Fatalf("fault at change %d: %v", at, err)
			}
			h.AssertPristine(t)
		}
	})
}

// stride is 1, so that every change is tried, but for the largest fleets, whose
// hundreds of steps are all alike.
func stride(steps []lab.Step) int { return 1 + len(steps)/50 }

func faultWhileReverting(t *testing.T, p place, steps []lab.Step, x *lab.Exposure, h *labtest.Host) {
	t.Helper()
	for at := 1; ; at += stride(steps) {
		h.FailAt(at)
		err := x.Revert(t.Context())
		h.FailAt(0)
		if err == nil {
			h.AssertPristine(t)
			return
		}
		if !errors.Is(err, labtest.ErrInjected) {
			t.Fatalf("fault at change %d of the revert: %v", at, err)
		}
		if err := x.Revert(t.Context()); err != nil {
			t.Fatalf("revert after a fault at change %d: %v", at, err)
		}
		h.AssertPristine(t)
		h = p.host(t)
		if x, err = lab.Expose(t.Context(), h, &labtest.Journal{}, steps); err != nil {
			t.Fatal(err)
		}
	}
}

// After an update to any other set the host is as if that set had been exposed
// from the start, and a revert leaves nothing, also when the update fails.
func TestUpdateFollowsTheReplicas(t *testing.T) {
	everyStrategy(t, func(t *testing.T, s lab.Strategy, p place, n int) {
		for name, to := range map[string][]lab.Replica{
			"one more": p.replicas(0, n+1), "all others": p.replicas(n, 2*n),
			"one fewer": p.replicas(0, max(n-1, 1)), "the same": p.replicas(0, n),
		} {
			before, after := p.steps(t, s, p.replicas(0, n)), p.steps(t, s, to)
			fresh := p.host(t)
			if _, err := lab.Expose(t.Context(), fresh, &labtest.Journal{}, after); err != nil {
				t.Fatal(err)
			}
			for at := 0; ; at++ { // 0: no fault
				h := p.host(t)
				x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, before)
				if err != nil {
					t.Fatal(err)
				}
				h.FailAt(at)
				failed := x.Update(t.Context(), after)
				h.FailAt(0)
				if at == 0 && failed != nil {
					t.Errorf("update to %s: %v", name, failed)
				}
				if d := cmp.Diff(fresh.Dump(), h.Dump()); failed == nil && d != "" {
					t.Errorf("update to %s (-fresh +updated):\n%s", name, d)
				}
				if err := x.Revert(t.Context()); err != nil {
					t.Errorf("update to %s, then revert: %v", name, err)
				}
				h.AssertPristine(t)
				if at > 0 && failed == nil || n > 10 { // the faults are tried on the smaller fleets
					break
				}
			}
		}
	})
}

// Two runs on one host do not see each other: when the first goes, the second
// is as if it had been alone.
func TestTwoRunsDoNotDisturbEachOther(t *testing.T) {
	for _, s := range Variants() {
		if s.Needs().OwnHost {
			continue // there is no second run
		}
		for name, p := range places("aaaaaa") {
			if !p.carries(s) {
				continue
			}
			t.Run(lab.FullName(s)+"/"+name, func(t *testing.T) {
				one, two := p.of(s), places("bbbbbb")[name].of(s)
				two.front.Port = 8081
				if !onlySidecars(one.steps(t, s, one.replicas(0, 3))) {
					bothRuns(t, s, one, two)
				}
			})
		}
	}
}

func bothRuns(t *testing.T, s lab.Strategy, one, two place) {
	t.Helper()
	host := func() *labtest.Host {
		h := one.host(t)
		h.AddLink(labtest.Link{Name: two.facts.Bridge})
		return h
	}
	expose := func(h *labtest.Host, p place) *lab.Exposure {
		x, err := lab.Expose(context.WithoutCancel(t.Context()), h, &labtest.Journal{}, p.steps(t, s, p.replicas(0, 3)))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	alone := host()
	expose(alone, two)
	shared := host()
	first := expose(shared, one)
	second := expose(shared, two)
	if err := first.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(alone.Dump(), shared.Dump()); d != "" {
		t.Errorf("the second run when the first has gone (-alone +shared):\n%s", d)
	}
	if err := second.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	shared.AssertPristine(t)
}

// What is printed for people to paste comes to the same host, and back.
func TestShellIsTheSameChange(t *testing.T) {
	everyStrategy(t, func(t *testing.T, s lab.Strategy, p place, n int) {
		steps := slices.DeleteFunc(p.steps(t, s, p.replicas(0, n)), func(st lab.Step) bool {
			_, program := st.(step.Sidecar)
			return program // package step starts them by hand in its own tests
		})
		byEngine, byHand := p.host(t), p.host(t)
		if _, err := lab.Expose(t.Context(), byEngine, &labtest.Journal{}, steps); err != nil {
			t.Fatal(err)
		}
		e := lab.Explanation{Steps: steps}
		if err := byHand.Shell(e.Commands()...); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(byEngine.Dump(), byHand.Dump()); d != "" {
			t.Errorf("-applied +pasted:\n%s", d)
		}
		if err := byHand.Shell(e.Back()...); err != nil {
			t.Fatal(err)
		}
		byHand.AssertPristine(t)
	})
}
