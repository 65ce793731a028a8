package strategies

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// bySockets are the strategies that lead to sockets or to addresses by programs
// in the kernel or by nothing at all.
func bySockets() []lab.Strategy {
	return slices.DeleteFunc(Variants(), func(s lab.Strategy) bool {
		return !slices.Contains([]string{"reuseport-bpf", "sk-lookup", "shared-socket", "connect4"}, s.Name())
	})
}

// Each serves from every vantage that it names, loses nothing when a replica
// comes and another one goes, and leaves nothing when it is reverted.
func TestSocketsOnTheKernel(t *testing.T) {
	for name, p := range map[string]place{"4": bare("aaaaaa"), "6": bare6("aaaaaa")} {
		for _, s := range bySockets() {
			t.Run(lab.FullName(s)+"/"+name, func(t *testing.T) {
				c := newCrew(t, p, s)
				h := kernel.NewHost(c.host, nil)
				err := lab.Probed(t.Context(), h, s, p.facts.Family)
				labtest.Require(t, "BPF", !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
				socketsOnTheKernel(t, c, h, s)
			})
		}
	}
}

func socketsOnTheKernel(t *testing.T, c *crew, h *kernel.Host, s lab.Strategy) {
	for i := range 3 {
		c.hire(t, i)
	}
	x, err := lab.Expose(t.Context(), h, nil, c.steps(t, s, c.replicas))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range lab.Vantages() {
		if s.Needs().WhyNotFrom(v, c.facts.Family) == "" {
			c.greeted(t, v)
		}
	}
	c.changed(t, h, x, s)
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if c.needs.Inherit != lab.InheritNone || c.needs.ReusePort {
		c.greeted(t, lab.OnHost) // the kernel itself picks among the sockets
		return
	}
	if name, err := c.hello(t.Context(), c.host, c.front.At(lab.OnHost)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s answers still, %v", name, err)
	}
}

// at is where a client at a vantage stands.
func (c *crew) at(v lab.Vantage) *kernel.Namespace {
	if v == lab.Peer && len(c.peers) == 0 {
		return c.host // where the replicas are
	}
	return c.stands(v)
}

// greeted asks from a vantage: every replica answers, unless whoever is first
// does.
func (c *crew) greeted(t *testing.T, v lab.Vantage) {
	t.Helper()
	counts := map[string]int{}
	for range 100 {
		name, err := c.hello(t.Context(), c.at(v), c.front.At(v))
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		counts[name]++
	}
	if c.needs.Null != lab.AcceptRace && len(counts) != len(c.replicas) {
		t.Errorf("%s: %v, want all of %d replicas", v, counts, len(c.replicas))
	}
}

// changed adds a replica and takes one away while clients ask.
func (c *crew) changed(t *testing.T, h *kernel.Host, x *lab.Exposure, s lab.Strategy) {
	t.Helper()
	// Classic BPF cannot leave a replica out before it ends; so what waits there
	// must be taken over by another.
	err := h.Sysctls().Set("net.ipv4.tcp_migrate_req", "1")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	v := lab.External
	if s.Needs().WhyNotFrom(v, c.facts.Family) != "" {
		v = lab.OnHost
	}
	d := c.ask(t, c.at(v), c.front.At(v))
	c.hire(t, 3)
	follow(t, x, c.steps(t, s, c.replicas))
	for end := time.Now().Add(20 * time.Second); c.needs.Null != lab.AcceptRace && !d.seen("qux"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Error("the new replica answers nobody")
			break
		}
	}
	c.replicas = c.replicas[1:]
	follow(t, x, c.steps(t, s, c.replicas))
	d.settle()
	if err := c.processes["foo"].StopWithin(t.Context(), 10*time.Second); err != nil {
		t.Error(err)
	}
	d.settle()
	answers, lost := d.end()
	t.Logf("%v while one came and one went", answers)
	if len(lost) > 0 {
		t.Errorf("%d requests were lost, such as %v", len(lost), lost[0])
	}
}

func follow(t *testing.T, x *lab.Exposure, steps []lab.Step) {
	t.Helper()
	if err := x.Update(t.Context(), steps); err != nil {
		t.Error(err)
	}
}
