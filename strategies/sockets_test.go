package strategies

import (
	"errors"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/step"
)

// set is a strategy with settings.
func set(t *testing.T, name string) lab.Strategy {
	t.Helper()
	s, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a strategy asks for, and which law it claims, are those of its settings.
func TestNeedsOfReuseportBPFFollowItsSettings(t *testing.T) {
	for name, want := range map[string]lab.Needs{
		"reuseport-bpf":                                   {Placement: lab.HostNetns, ReusePort: true, Null: lab.Random},
		"reuseport-bpf:program=ebpf-rr":                   {Placement: lab.HostNetns, ReusePort: true, Root: true, Null: lab.RoundRobin},
		"reuseport-bpf:sockets=inherited":                 {Placement: lab.OwnNetns, Inherit: lab.InheritOwn, Null: lab.Random},
		"reuseport-bpf:program=ebpf-rr,sockets=inherited": {Placement: lab.OwnNetns, Inherit: lab.InheritOwn, Root: true, Null: lab.RoundRobin},
		"sk-lookup:method=hash":                           {Placement: lab.HostNetns, OwnPorts: true, Root: true, Null: lab.Hash},
		"sk-lookup:method=rr":                             {Placement: lab.HostNetns, OwnPorts: true, Root: true, Null: lab.RoundRobin},
	} {
		n := set(t, name).Needs()
		if n.Placement != want.Placement || n.ReusePort != want.ReusePort || n.Inherit != want.Inherit || n.OwnPorts != want.OwnPorts ||
			n.Root != want.Root || n.Null != want.Null {
			t.Errorf("%s needs %+v, want %+v", name, n, want)
		}
	}
}

// The program leads both addresses of the front to all replicas, by the method
// that is set.
func TestProgramsLeadToEveryReplica(t *testing.T) {
	for name, method := range map[string]string{
		"reuseport-bpf": lab.MethodRandom, "reuseport-bpf:program=ebpf-rr": lab.MethodTurn,
		"sk-lookup": lab.MethodRandom, "sk-lookup:method=hash": lab.MethodHash, "connect4": lab.MethodRandom,
	} {
		s := set(t, name)
		p := bare("aaaaaa").of(s)
		to := p.replicas(0, 3)
		h := p.exposed(t, s, to)
		got := h.BPFPrograms()
		if len(got) != 1 || got[0].Method != method || !slices.Equal(got[0].Replicas, to) || !slices.Equal(got[0].Front, p.front.Endpoints()) {
			t.Errorf("%s attaches %+v", name, got)
		}
	}
}

// A changed set of replicas is one change: the program is replaced.
func TestProgramIsReplacedInOneChange(t *testing.T) {
	for _, name := range []string{"reuseport-bpf", "reuseport-bpf:program=ebpf-rr", "sk-lookup", "connect4"} {
		s := set(t, name)
		p := bare("aaaaaa").of(s)
		h := p.host(t)
		x, err := lab.Expose(t.Context(), h, nil, p.steps(t, s, p.replicas(0, 3)))
		if err != nil {
			t.Fatal(err)
		}
		before := h.Mutations()
		if err := x.Update(t.Context(), p.steps(t, s, p.replicas(1, 5))); err != nil {
			t.Error(err)
		}
		if n := h.Mutations() - before; n != 1 {
			t.Errorf("%s: %d changes, want 1", name, n)
		}
	}
}

func TestClassicBPFTakesNoWeights(t *testing.T) {
	for name, ok := range map[string]bool{"reuseport-bpf": false, "reuseport-bpf:program=ebpf-rr": true, "sk-lookup": true, "connect4": true} {
		s := set(t, name)
		p := bare("aaaaaa").of(s)
		to := p.replicas(0, 2)
		to[1].Weight = 3
		_, err := s.Steps(p.facts, p.front, to)
		if usage := new(lab.UsageError); ok != (err == nil) || !ok && !errors.As(err, &usage) {
			t.Errorf("%s: %v, want weights taken: %v", name, err, ok)
		}
		if _, err := s.Steps(p.facts, p.front, nil); err == nil {
			t.Errorf("%s: steps to no replica", name)
		}
	}
}

// A program of one run cannot become another's.
func TestProgramBecomesItsOwnSuccessorOnly(t *testing.T) {
	s := set(t, "sk-lookup")
	one, two := bare("aaaaaa").of(s), bare("bbbbbb").of(s)
	first := one.steps(t, s, one.replicas(0, 1))[0].(step.BPF)
	if err := first.Replace(t.Context(), one.host(t), two.steps(t, s, two.replicas(0, 1))[0]); err == nil {
		t.Error("it became another run's")
	}
}

// A host without the hook is told of before anything is made.
func TestHookProbe(t *testing.T) {
	for _, name := range []string{"reuseport-bpf", "reuseport-bpf:program=ebpf-rr", "sk-lookup", "connect4"} {
		h := labtest.NewHost(t)
		if err := lab.Probed(t.Context(), h, set(t, name), lab.IPv4); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		h.WithoutBPF(&lab.UnsupportedError{What: "BPF", Reason: "no right", Remedy: "sudo"})
		if err := lab.Probed(t.Context(), h, set(t, name), lab.IPv4); !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%s: %v, want that it cannot", name, err)
		}
	}
}
