package strategies

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// TestIPVSOnTheKernel holds each scheduler to what is said of it, where a
// kernel has IPVS.
func TestIPVSOnTheKernel(t *testing.T) {
	for name, p := range map[string]place{
		"4": bare("aaaaaa"), "6": bare6("aaaaaa"), "4-udp": bare("aaaaaa").speaking(lab.UDP), "6-udp": bare6("aaaaaa").speaking(lab.UDP),
	} {
		for _, scheduler := range []string{lab.MethodTurn, schedWRR, schedLC, schedSH, schedMH} {
			s := ipvs{scheduler}
			t.Run(name+"/"+lab.FullName(s), func(t *testing.T) { ipvsOnTheKernel(t, newIPVSWorld(t, p.of(s)), s) })
		}
	}
}

// newIPVSWorld is a world with three replicas, on a kernel with IPVS.
func newIPVSWorld(t *testing.T, p place) *world {
	t.Helper()
	w := newWorld(t, p, 3)
	_, err := kernel.NewHost(w.host, nil).VirtualServers()
	labtest.Require(t, "ipvs", err == nil, fmt.Sprint(err))
	_, err = exec.LookPath("ipvsadm")
	labtest.Require(t, "ipvs", err == nil, "what the kernel has is listed by ipvsadm")
	return w
}

func ipvsOnTheKernel(t *testing.T, w *world, s ipvs) {
	if s.scheduler == schedWRR {
		w.replicas[0].Weight = 2
	}
	x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, s, w.replicas))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range lab.Vantages() {
		t.Run(string(v), func(t *testing.T) {
			if s.Needs().WhyNotFrom(v, w.facts.Family) != "" {
				w.called(t, s, v)
				return
			}
			_, saw := w.packet(v)
			w.scheduled(t, s, w.tally(t, w.stands(v), w.front.At(v), 120, saw), lab.Shares(w.replicas))
		})
	}
	if err := x.Update(t.Context(), w.steps(t, s, w.replicas[1:])); err != nil {
		t.Fatal(err)
	}
	c := w.tally(t, w.client, w.front.At(lab.External), 120, w.facts.Client)
	w.scheduled(t, s, c[1:], []float64{0.5, 0.5})
	if c[0] > 0 {
		t.Errorf("who has left was given %d connections", c[0])
	}
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if left := w.virtual(t); left != "" {
		t.Errorf("left behind:\n%s", left)
	}
	if name, _, err := w.dial(t.Context(), w.client, w.front.At(lab.External)); err == nil {
		t.Errorf("%s answers still", name)
	}
}

// scheduled holds counts to a scheduler: one that hashes the client's address
// gives all of one client to one replica.
func (w *world) scheduled(t *testing.T, s ipvs, c []int, shares []float64) {
	t.Helper()
	if schedulerNulls[s.scheduler] != lab.HashAddress {
		near(t, c, shares)
		return
	}
	var sum int
	for _, n := range c {
		sum += n
	}
	if slices.Max(c) != sum {
		t.Errorf("%v, want all at one", c)
	}
}

// virtual lists the virtual servers of the host.
func (w *world) virtual(t *testing.T) string {
	t.Helper()
	var list []byte
	err := w.host.Do(t.Context(), func() (err error) {
		list, err = exec.CommandContext(t.Context(), "ipvsadm", "--save", "--numeric").Output()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(list))
}

// The lines for people come to the same virtual server as the steps, and their
// undo to none.
func TestIPVSByHandOnTheKernel(t *testing.T) {
	for name, p := range map[string]place{"4": bare("aaaaaa"), "6-udp": bare6("aaaaaa").speaking(lab.UDP)} {
		t.Run(name, func(t *testing.T) {
			s := ipvs{schedWRR}
			w := newIPVSWorld(t, p.of(s))
			w.replicas[0].Weight = 3
			steps := w.steps(t, s, w.replicas)
			x, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, steps)
			if err != nil {
				t.Fatal(err)
			}
			applied := w.virtual(t)
			if err := x.Revert(t.Context()); err != nil {
				t.Fatal(err)
			}
			e := lab.Explanation{Steps: steps}
			w.sh(t, "set -e\n"+strings.Join(e.Commands(), "\n"))
			if d := cmp.Diff(applied, w.virtual(t)); d != "" {
				t.Errorf("-applied +pasted:\n%s", d)
			}
			w.sh(t, "set -e\n"+strings.Join(e.Back(), "\n"))
			if left := w.virtual(t); left != "" {
				t.Errorf("left behind:\n%s", left)
			}
		})
	}
}
