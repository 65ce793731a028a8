package strategies

import (
	"reflect"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// Where the runtime publishes the sandbox there is nothing to do.
func TestReuseportLeavesAPublishedSandboxAlone(t *testing.T) {
	p := onEngine("aaaaaa").of(reuseport{})
	if steps := p.steps(t, reuseport{}, p.replicas(0, 3)); len(steps) != 0 {
		t.Errorf("%d steps, want none", len(steps))
	}
}

// Any number of replicas is one sandbox: the steps are the same, and so are
// those of dnat to one replica there.
func TestReuseportLeadsToTheSandbox(t *testing.T) {
	for _, p := range []place{bare("aaaaaa").of(reuseport{}), bare6("aaaaaa").of(reuseport{})} {
		alone := p.steps(t, dnat{}, p.replicas(0, 1))
		for _, n := range []int{1, 2, 100} {
			if steps := p.steps(t, reuseport{}, p.replicas(0, n)); !reflect.DeepEqual(steps, alone) {
				t.Errorf("IPv%d: the steps to %d replicas differ from those of dnat to one", p.facts.Family, n)
			}
		}
		if _, err := (reuseport{}).Steps(p.facts, p.front, nil); err == nil {
			t.Error("steps to no replica at all")
		}
	}
}

// A change of the replicas changes nothing on the host.
func TestReuseportUpdateChangesNothing(t *testing.T) {
	p := bare("aaaaaa").of(reuseport{})
	h := p.host(t)
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, p.steps(t, reuseport{}, p.replicas(0, 3)))
	if err != nil {
		t.Fatal(err)
	}
	before := h.Mutations()
	if err := x.Update(t.Context(), p.steps(t, reuseport{}, p.replicas(1, 5))); err != nil {
		t.Fatal(err)
	}
	if n := h.Mutations() - before; n != 0 {
		t.Errorf("%d changes, want none", n)
	}
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	h.AssertPristine(t)
}
