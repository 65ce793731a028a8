package step_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/step"
)

const run lab.RunID = "aaaaaa"

func chain(rules ...[]string) step.Chain {
	return step.Chain{Family: lab.IPv4, Table: "nat", Name: run.Chain("X"), Rules: rules}
}

func rule(spec ...string) step.Rule {
	return step.Rule{Run: run, Family: lab.IPv4, Table: "nat", Chain: "OUTPUT", Spec: spec}
}

func TestChainIsOfItsFamily(t *testing.T) {
	h := labtest.NewHost(t)
	c := chain()
	c.Family = lab.IPv6
	if err := c.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	byHand := labtest.NewHost(t)
	if err := byHand.Shell(c.Shell()...); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h.Dump(), byHand.Dump()); d != "" {
		t.Errorf("-applied +pasted:\n%s", d)
	}
	four, err := h.Rules(lab.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	if has, err := four.HasChain("nat", c.Name); err != nil || has {
		t.Errorf("there is a chain of IPv4 too: %v, %v", has, err)
	}
	if err := c.Revert(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	h.AssertPristine(t)
	if chain().ID() == c.ID() {
		t.Error("chains of two families have one ID")
	}
}

// A chain that is there already is not ours: it is neither filled nor deleted.
func TestChainLeavesOneThatIsThere(t *testing.T) {
	h := labtest.NewHost(t)
	c := chain([]string{"-j", "ACCEPT"})
	if err := h.Shell("iptables -t nat -N " + c.Name); err != nil {
		t.Fatal(err)
	}
	before := h.Dump()
	if err := c.Apply(t.Context(), h); err == nil {
		t.Error("no error")
	}
	if d := cmp.Diff(before, h.Dump()); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

// Replace is one change, so there is no moment between the old and the new.
func TestChainReplacesInOneChange(t *testing.T) {
	h := labtest.NewHost(t)
	old, next := chain([]string{"-p", "tcp", "-j", "ACCEPT"}), chain([]string{"-p", "udp", "-j", "ACCEPT"})
	if err := old.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	before := h.Mutations()
	if err := old.Replace(t.Context(), h, next); err != nil {
		t.Fatal(err)
	}
	if n := h.Mutations() - before; n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
	fresh := labtest.NewHost(t)
	if err := next.Apply(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(fresh.Dump(), h.Dump()); d != "" {
		t.Errorf("-fresh +replaced:\n%s", d)
	}
}

// A step becomes only another of the same ID.
func TestReplaceRefusesAnother(t *testing.T) {
	h := labtest.NewHost(t)
	other := chain()
	other.Name = run.Chain("Y")
	flows := step.Flows{Front: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:8080")}}
	sidecar := step.Sidecar{Sidecar: lab.Sidecar{Name: "a", Program: "nginx"}}
	for _, c := range []struct {
		from lab.Replacer
		to   lab.Step
	}{
		{chain(), other}, {chain(), flows}, {flows, chain()}, {flows, step.Flows{}}, {sidecar, chain()},
		{sidecar, step.Sidecar{Sidecar: lab.Sidecar{Name: "b", Program: "nginx"}}},
	} {
		if err := c.from.Replace(t.Context(), h, c.to); err == nil {
			t.Errorf("%s became %s", c.from.ID(), c.to.ID())
		}
	}
	h.AssertPristine(t)
}

func TestRuleGoesFirstAndCarriesTheRun(t *testing.T) {
	h := labtest.NewHost(t)
	if err := h.Shell("iptables -t nat -A OUTPUT -j ACCEPT"); err != nil {
		t.Fatal(err)
	}
	before := h.Dump()
	r := rule("-p", "tcp", "-j", "RETURN")
	if err := r.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(h.Dump(), "-A OUTPUT -j ACCEPT")
	if !strings.Contains(first, run.Comment()) {
		t.Errorf("the rule is not first, or does not name its run:\n%s", h.Dump())
	}
	for range 2 {
		if err := r.Revert(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(before, h.Dump()); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

// A comment of two words stays one word when pasted.
func TestShellQuotes(t *testing.T) {
	r := rule("-m", "comment", "--comment", "two words; $HOME", "-j", "RETURN")
	applied, pasted := labtest.NewHost(t), labtest.NewHost(t)
	if err := r.Apply(t.Context(), applied); err != nil {
		t.Fatal(err)
	}
	if err := pasted.Shell(r.Shell()...); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(applied.Dump(), pasted.Dump()); d != "" {
		t.Errorf("-applied +pasted:\n%s", d)
	}
}

func TestStepsNeedAPacketFilter(t *testing.T) {
	h := labtest.NewHost(t)
	none := &lab.UnsupportedError{What: "iptables", Reason: "there is none"}
	h.WithoutRules(none)
	for _, s := range []lab.Step{chain(), rule("-j", "ACCEPT")} {
		if err := s.Apply(t.Context(), h); !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("apply %s: %v, want what the host said", s.ID(), err)
		}
		if err := s.Revert(t.Context(), h); !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("revert %s: %v, want what the host said", s.ID(), err)
		}
	}
}

func TestSysctl(t *testing.T) {
	const name = "net.ipv4.conf.br.route_localnet"
	s := step.Sysctl{Name: name, Before: "0", Value: "1"}
	host := func(value string) *labtest.Host {
		h := labtest.NewHost(t)
		h.GiveSysctl(name, value)
		return h
	}
	value := func(h *labtest.Host) string {
		v, err := h.Sysctls().Get(name)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	t.Run("set and put back", func(t *testing.T) {
		h := host("0")
		note, err := s.Note(t.Context(), h)
		if want := (lab.Note{Kind: "sysctl", Name: name, Before: "0", After: "1"}); err != nil || note != want {
			t.Errorf("note %+v, %v, want %+v", note, err, want)
		}
		if err := s.Apply(t.Context(), h); err != nil || value(h) != "1" {
			t.Errorf("applied: %s, %v", value(h), err)
		}
		if err := s.Revert(t.Context(), h); err != nil {
			t.Error(err)
		}
		h.AssertPristine(t)
	})
	t.Run("another value is left alone", func(t *testing.T) {
		h := host("2")
		if err := s.Apply(t.Context(), h); err == nil {
			t.Error("applied over a value that was not expected")
		}
		if err := s.Revert(t.Context(), h); err != nil {
			t.Error(err)
		}
		h.AssertPristine(t)
	})
	t.Run("the thing has gone away", func(t *testing.T) {
		h := labtest.NewHost(t)
		if err := s.Apply(t.Context(), h); err == nil {
			t.Error("applied to nothing")
		}
		if _, err := s.Note(t.Context(), h); err == nil {
			t.Error("noted nothing")
		}
		if err := s.Revert(t.Context(), h); err != nil {
			t.Errorf("revert: %v", err)
		}
	})
}

func TestRetrackForgetsWhatWasNotTranslated(t *testing.T) {
	at := netip.MustParseAddrPort
	front, replica := at("192.0.2.1:8080"), at("198.18.0.2:80")
	r := step.Retrack{Transport: "udp", Front: []netip.AddrPort{front}}
	untranslated := labtest.Flow{Transport: "udp", Front: front, Replica: front}
	left := labtest.NewHost(t)
	left.Track(labtest.Flow{Transport: "udp", Front: front, Replica: replica})
	for name, do := range map[string]func(*labtest.Host) error{
		"applied": func(h *labtest.Host) error { return r.Apply(t.Context(), h) },
		"pasted":  func(h *labtest.Host) error { return h.Shell(r.Shell()...) },
	} {
		h := labtest.NewHost(t)
		h.Track(untranslated)
		h.Track(labtest.Flow{Transport: "udp", Front: front, Replica: replica})
		if err := do(h); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(left.Dump(), h.Dump()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestFlowsForgetsTheGoneOnly(t *testing.T) {
	at := netip.MustParseAddrPort
	front := []netip.AddrPort{at("192.0.2.1:8080")}
	one, two := at("198.18.0.2:80"), at("198.18.0.3:80")
	f := step.Flows{Front: front, Replicas: []netip.AddrPort{one, two}}
	h := labtest.NewHost(t)
	h.Track(labtest.Flow{Front: front[0], Replica: one})
	h.Track(labtest.Flow{Front: front[0], Replica: two})
	if err := f.Apply(t.Context(), h); err != nil || h.Mutations() != 0 {
		t.Errorf("apply: %v, %d changes, want none", err, h.Mutations())
	}
	next := step.Flows{Front: front, Replicas: []netip.AddrPort{one}}
	if err := f.Replace(t.Context(), h, next); err != nil {
		t.Fatal(err)
	}
	left := labtest.NewHost(t)
	left.Track(labtest.Flow{Front: front[0], Replica: one})
	if d := cmp.Diff(left.Dump(), h.Dump()); d != "" {
		t.Errorf("after the second has gone (-want +got):\n%s", d)
	}
	if err := h.Shell(next.Undo()...); err != nil {
		t.Fatal(err)
	}
	h.AssertPristine(t)
	udp := step.Flows{Transport: "udp", Front: front, Replicas: []netip.AddrPort{one}}
	h.Track(labtest.Flow{Transport: "udp", Front: front[0], Replica: one})
	if err := h.Shell(udp.Undo()...); err != nil {
		t.Fatal(err)
	}
	h.AssertPristine(t)
}
