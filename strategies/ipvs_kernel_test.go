package strategies

import (
	"fmt"
	"net/netip"
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
	for _, v := range []lab.Vantage{lab.External, lab.OnHost} {
		_, saw := w.packet(v)
		w.scheduled(t, s, w.tally(t, w.stands(v), w.front.At(v), 60, saw), lab.Shares(w.replicas))
	}
	w.leaves(t, x, s)
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

// leaves takes away the replica that a client has a connection to, and it gets
// no other. Over UDP what there was goes on; over TCP the test's replicas hang
// up at once.
func (w *world) leaves(t *testing.T, x *lab.Exposure, s ipvs) {
	t.Helper()
	// A datagram from a port that was used before belongs to what was then begun.
	err := w.client.Do(t.Context(), func() error {
		return exec.CommandContext(t.Context(), "sysctl", "-qw", "net.ipv4.ip_local_port_range=61000 65000").Run()
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := w.open(t.Context(), w.client, netip.Addr{}, w.front.At(lab.External))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	gone, _, err := w.ask(c)
	if err != nil {
		t.Fatal(err)
	}
	rest := slices.DeleteFunc(slices.Clone(w.replicas), func(r lab.Replica) bool { return r.Instance == gone })
	if err := x.Update(t.Context(), w.steps(t, s, rest)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if name, _, err := w.dial(t.Context(), w.client, w.front.At(lab.External)); err != nil || name == gone {
			t.Fatalf("after %s has left, %q answers, %v", gone, name, err)
		}
	}
	if w.facts.Transport != "udp" {
		return
	}
	if name, _, err := w.ask(c); err != nil || name != gone {
		t.Errorf("%q goes on with what %s began, %v", name, gone, err)
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

// Clients on a loopback address and on a replica reach nobody, as the strategy
// says.
func TestIPVSFromWhereItDoesNotWorkOnTheKernel(t *testing.T) {
	s := ipvs{lab.MethodTurn}
	w := newIPVSWorld(t, bare("aaaaaa").of(s))
	if _, err := lab.Expose(t.Context(), kernel.NewHost(w.host, nil), &labtest.Journal{}, w.steps(t, s, w.replicas)); err != nil {
		t.Fatal(err)
	}
	for v := range s.Needs().NotFrom {
		w.called(t, s, v)
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
	for scheduler, p := range map[string]place{schedWRR: bare("aaaaaa"), schedSH: bare6("aaaaaa").speaking(lab.UDP)} {
		t.Run(scheduler, func(t *testing.T) {
			s := ipvs{scheduler}
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
