package strategies

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// A client on the host may have any loopback address, and is answered.
func TestDNATServesEveryLoopbackAddress(t *testing.T) {
	for _, protocol := range []lab.Protocol{lab.TCP, lab.UDP} {
		t.Run(string(protocol), func(t *testing.T) {
			w := newWorld(t, bare("aaaaaa").speaking(protocol), 2)
			x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, dnat{}, w.replicas))
			if err != nil {
				t.Fatal(err)
			}
			for _, own := range kernel.Consecutive(w.front.Loopback, 300) {
				name, saw, err := w.dialAs(t.Context(), w.host, own, w.front.At(lab.Localhost))
				if err != nil || saw != w.facts.Gateway.String() {
					t.Fatalf("%s: %q answers and saw %q, %v", own, name, saw, err)
				}
			}
			if err := x.Revert(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A client that something else has answered before the rules were there reaches
// a replica by them, from the same port.
func TestDNATTakesOverAClientOfUDP(t *testing.T) {
	for name, v := range map[string]lab.Vantage{"external": lab.External, "localhost": lab.Localhost} {
		t.Run(name, func(t *testing.T) {
			// Beside an engine the kernel tracks connections whatever a run does.
			w := newWorld(t, onEngine("aaaaaa").speaking(lab.UDP), 2)
			c, err := w.open(t.Context(), w.stands(v), netip.Addr{}, w.front.At(v))
			if err != nil {
				t.Fatal(err)
			}
			closing(t, c)
			w.serve(t, w.host, lab.Replica{Instance: "before", Address: w.front.At(v)})
			if name, _, err := w.ask(c); name != "before" {
				t.Fatalf("%q answers before it is exposed, %v", name, err)
			}
			x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, dnat{}, w.replicas))
			if err != nil {
				t.Fatal(err)
			}
			if name, _, err := w.ask(c); name == "before" || err != nil {
				t.Errorf("%q answers, %v", name, err)
			}
			if err := x.Revert(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A client that goes on to send datagrams from one port keeps to its replica,
// until that replica goes.
func TestDNATKeepsAClientOfUDPUntilItsReplicaGoes(t *testing.T) {
	w := newWorld(t, bare("aaaaaa").speaking(lab.UDP), 3)
	x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, dnat{}, w.replicas))
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.open(t.Context(), w.client, netip.Addr{}, w.front.At(lab.External))
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	first, _, err := w.ask(c)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if name, _, err := w.ask(c); name != first || err != nil {
			t.Fatalf("%q answers after %q, %v", name, first, err)
		}
	}
	others := slices.DeleteFunc(slices.Clone(w.replicas), func(r lab.Replica) bool { return r.Instance == first })
	if err := x.Update(t.Context(), w.steps(t, dnat{}, others)); err != nil {
		t.Fatal(err)
	}
	if name, _, err := w.ask(c); name == first || err != nil {
		t.Errorf("%q answers still, %v", name, err)
	}
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
}
