package strategies

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// TestNATOnTheKernel holds the fake to the kernel: what it says of a packet is
// what becomes of one.
func TestNATOnTheKernel(t *testing.T) {
	for name, p := range places("aaaaaa") {
		for _, s := range []lab.Strategy{dnat{}, reuseport{}} {
			if len(p.steps(t, s, p.replicas(0, 1))) == 0 {
				continue // the engine does it
			}
			t.Run(name+"/"+s.Name(), func(t *testing.T) { natOnTheKernel(t, newWorld(t, p.of(s), 3), s) })
		}
	}
}

func natOnTheKernel(t *testing.T, w *world, s lab.Strategy) {
	h := kernel.NewHost(w.host, nil)
	if err := lab.Probed(t.Context(), h, s, w.facts.Family); err != nil {
		t.Fatal(err)
	}
	steps := w.steps(t, s, w.replicas)
	expose := func() *lab.Exposure {
		x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, steps)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	// The first use makes the built-in chains, which stay.
	if err := expose().Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.state(t)
	x := expose()
	for _, v := range lab.Vantages() {
		t.Run(string(v), func(t *testing.T) { w.called(t, s, v) })
	}
	if err := x.Update(t.Context(), w.steps(t, s, w.replicas[1:])); err != nil {
		t.Fatal(err)
	}
	shares := []float64{0, 0.5, 0.5}
	if w.placement == lab.SharedNetns {
		shares = lab.Shares(w.replicas) // who is behind the one address is not the rules' affair
	}
	near(t, w.tally(t, w.client, w.front.At(lab.External), 150, w.facts.Client), shares)
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff(before, w.state(t)); d != "" {
		t.Errorf("left behind (-before +after):\n%s", d)
	}
	if name, _, err := w.dial(t.Context(), w.client, w.front.At(lab.External)); err == nil {
		t.Errorf("%s answers still", name)
	}
}

// called calls the front from a vantage: each replica gets its share and sees
// the address that it is meant to, or nobody answers where the strategy says so.
func (w *world) called(t *testing.T, s lab.Strategy, v lab.Vantage) {
	t.Helper()
	if s.Needs().WhyNotFrom(v, w.facts.Family) != "" {
		if name, _, err := w.dial(t.Context(), w.stands(v), w.front.At(v)); err == nil {
			t.Errorf("%s answers, although it cannot be reached from there", name)
		}
		return
	}
	_, saw := w.packet(v)
	near(t, w.tally(t, w.stands(v), w.front.At(v), 150, saw), lab.Shares(w.replicas))
}

// The lines for people come to the same rules as the steps, and their undo to
// none, on the real iptables.
func TestNATByHandOnTheKernel(t *testing.T) {
	_, err := exec.LookPath("conntrack")
	labtest.Require(t, "conntrack", err == nil, "the lines by hand delete tracked connections with it")
	all := places("aaaaaa")
	for _, name := range []string{"engine", "bare", "bare6-udp"} {
		t.Run(name, func(t *testing.T) { byHandOnTheKernel(t, newWorld(t, all[name], 2)) })
	}
}

func byHandOnTheKernel(t *testing.T, w *world) {
	h := kernel.NewHost(w.host, nil)
	steps := w.steps(t, dnat{}, w.replicas)
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, steps)
	if err != nil {
		t.Fatal(err)
	}
	applied := w.state(t)
	if err := x.Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := w.state(t)
	e := lab.Explanation{Steps: steps}
	w.sh(t, "set -e\n"+strings.Join(e.Commands(), "\n"))
	if d := cmp.Diff(applied, w.state(t)); d != "" {
		t.Errorf("-applied +pasted:\n%s", d)
	}
	near(t, w.tally(t, w.client, w.front.At(lab.External), 50, w.facts.Client), lab.Shares(w.replicas))
	if w.tracked(t) == "" {
		t.Error("the kernel tracks none of the connections that it translated")
	}
	w.sh(t, "set -e\n"+strings.Join(e.Back(), "\n"))
	if d := cmp.Diff(before, w.state(t)); d != "" {
		t.Errorf("-before +undone:\n%s", d)
	}
	if left := w.tracked(t); left != "" {
		t.Errorf("tracked still:\n%s", left)
	}
}

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

// The one rule of direct lets the other machine through, and only to the
// replica that is meant.
func TestDirectOnTheKernel(t *testing.T) {
	for name, p := range places("aaaaaa") {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, p, 2)
			h := kernel.NewHost(w.host, nil)
			x, err := lab.Expose(t.Context(), h, nil, w.steps(t, direct{}, w.replicas))
			if err != nil {
				t.Fatal(err)
			}
			name, saw, err := w.dial(t.Context(), w.client, w.replicas[0].Address)
			if err != nil || name != "foo" || saw != p.facts.Client.String() {
				t.Errorf("%q answered and saw %q, %v", name, saw, err)
			}
			if err := x.Revert(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The real docker-proxies share the port of every address of the front.
func TestDockerProxyOnTheKernel(t *testing.T) {
	if built, err := filepath.Abs("../bin/docker-proxy"); err == nil && os.Getenv("PORTLAB_DOCKER_PROXY") == "" {
		if _, err := os.Stat(built); err == nil {
			t.Setenv("PORTLAB_DOCKER_PROXY", built)
		}
	}
	for name, p := range places("aaaaaa") {
		t.Run(name, func(t *testing.T) { dockerProxyOnTheKernel(t, newWorld(t, p, 3)) })
	}
}

func dockerProxyOnTheKernel(t *testing.T, w *world) {
	h := kernel.NewHost(w.host, kernel.NewSidecars(w.host, w.facts.Run, ""))
	err := lab.Probed(t.Context(), h, dockerProxy{}, w.facts.Family)
	labtest.Require(t, "docker-proxy", err == nil, fmt.Sprint(err))
	x, err := lab.Expose(t.Context(), h, nil, w.steps(t, dockerProxy{}, w.replicas))
	if err != nil {
		t.Fatal(err)
	}
	saw := w.facts.Gateway // of the connection that docker-proxy makes
	for _, v := range lab.Vantages() {
		near(t, w.tally(t, w.stands(v), w.front.At(v), 150, saw), lab.Shares(w.replicas))
	}
	if err := x.Update(t.Context(), w.steps(t, dockerProxy{}, w.replicas[:2])); err != nil {
		t.Fatal(err)
	}
	near(t, w.tally(t, w.client, w.front.At(lab.External), 150, saw), []float64{0.5, 0.5, 0})
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if name, _, err := w.dial(t.Context(), w.client, w.front.At(lab.External)); err == nil {
		t.Errorf("%s answers still", name)
	}
}
