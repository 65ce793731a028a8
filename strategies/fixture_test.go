package strategies

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// place is a run on a fake host: where its replicas are and what its front is.
type place struct {
	facts lab.Facts
	front lab.Front
}

// onEngine is a run beside a Docker engine.
func onEngine(run lab.RunID) place {
	front := lab.Front{
		Address: netip.MustParseAddr("198.19.0.1"), Loopback: netip.MustParseAddr("127.0.0.1"), Port: 8080,
	}
	return place{front: front, facts: lab.Facts{
		Run: run, Family: lab.IPv4, Bridge: run.Link("b"),
		Subnet: netip.MustParsePrefix("198.18.0.0/22"), Gateway: netip.MustParseAddr("198.18.0.1"),
		ForwardChain: "DOCKER-USER", Client: netip.MustParseAddr("198.19.0.2"),
		SidecarListen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080")},
	}}
}

// bare is a run where nothing drops and no other machine is.
func bare(run lab.RunID) place {
	p := onEngine(run)
	p.facts.ForwardChain, p.facts.Client = "", netip.Addr{}
	return p
}

// host is the machine of a place, as a runtime leaves it for the strategy.
func (p place) host(t testing.TB) *labtest.Host {
	h := labtest.NewHost(t)
	h.AddLink(labtest.Link{Name: "lan", Prefix: netip.PrefixFrom(p.front.Address, 24)})
	h.AddLink(labtest.Link{Name: p.facts.Bridge, Prefix: netip.PrefixFrom(p.facts.Gateway, p.facts.Subnet.Bits())})
	if p.facts.ForwardChain != "" {
		h.AddEngine(p.facts.Bridge, p.facts.Subnet)
	}
	return h
}

// replicas makes those from the first to the one before the last number.
func (p place) replicas(first, last int) []lab.Replica {
	var all []lab.Replica
	a := p.facts.Subnet.Addr()
	for range first + 2 {
		a = a.Next()
	}
	for i := first; i < last; i++ {
		all = append(all, lab.Replica{Instance: lab.InstanceName(i), Address: netip.AddrPortFrom(a, 80), Weight: 1})
		a = a.Next()
	}
	return all
}

func (p place) steps(t testing.TB, s lab.Strategy, to []lab.Replica) []lab.Step {
	t.Helper()
	steps, err := s.Steps(p.facts, p.front, to)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// exposed is a host with a strategy's steps applied; they are reverted when
// the test ends, and nothing may be left then.
func (p place) exposed(t *testing.T, s lab.Strategy, to []lab.Replica) *labtest.Host {
	t.Helper()
	h := p.host(t)
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, p.steps(t, s, to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Revert(t.Context()); err != nil {
			t.Error(err)
		}
		h.AssertPristine(t)
	})
	return h
}

// everyStrategy runs a test for each strategy, place and size of the fleet.
func everyStrategy(t *testing.T, f func(*testing.T, lab.Strategy, place, int)) {
	for _, s := range All() {
		for name, p := range map[string]place{"engine": onEngine("aaaaaa"), "bare": bare("aaaaaa")} {
			for _, n := range []int{1, 2, 3, 10, 100} {
				t.Run(fmt.Sprintf("%s/%s/%d", s.Name(), name, n), func(t *testing.T) { f(t, s, p, n) })
			}
		}
	}
}
