package strategies

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
		for _, s := range append(nftVariants(), dnat{}, reuseport{}) {
			if !p.carries(s) || len(p.steps(t, s, p.replicas(0, 1))) == 0 {
				continue // the engine does it, or it cannot be done
			}
			t.Run(name+"/"+lab.FullName(s), func(t *testing.T) { natOnTheKernel(t, newWorld(t, p.of(s), 3), s) })
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
	_, err = exec.LookPath("nft")
	labtest.Require(t, "nft", err == nil, "the lines by hand of nft need it")
	all := places("aaaaaa")
	for _, name := range []string{"engine", "bare", "bare6-udp"} {
		for _, s := range append(nftVariants(), dnat{}) {
			t.Run(name+"/"+lab.FullName(s), func(t *testing.T) { byHandOnTheKernel(t, newWorld(t, all[name], 2), s) })
		}
	}
}

func byHandOnTheKernel(t *testing.T, w *world, s lab.Strategy) {
	h := kernel.NewHost(w.host, nil)
	steps := w.steps(t, s, w.replicas)
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
