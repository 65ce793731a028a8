package lab_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// deed is a change that is a deed of the scene.
func (r *rig) deed(name string, at time.Duration) lab.Change {
	return lab.Change{What: name, At: at, Make: func(context.Context, lab.Standing) error { return r.act(name) }}
}

func TestChangesAreMadeBeforeAndDuringTheLoad(t *testing.T) {
	r := newRig() // whose load takes five seconds
	r.Changes = []lab.Change{r.deed("foo is killed", 0), r.deed("bar leaves", 2*time.Second), r.deed("qux joins", 4*time.Second)}
	res, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	r.did(t, "host", "open", "apply a", "apply b", "foo is killed", "bar leaves", "qux joins", "load", "revert b", "revert a", "close")
	want := []string{"Before the load, foo is killed.", "2s into the load, bar leaves; that took 0s.", "4s into the load, qux joins; that took 0s."}
	if !slices.Equal(res.Environment.Notes, want) {
		t.Errorf("notes %q, want %q", res.Environment.Notes, want)
	}
}

func TestAChangeThatComesTooLateFailsTheRun(t *testing.T) {
	r := newRig()
	r.Changes = []lab.Change{r.deed("bar leaves", 6*time.Second)}
	if _, _, err := r.run(t); err == nil || !strings.Contains(err.Error(), "longer than 6s") {
		t.Errorf("error %v", err)
	}
	r.did(t, whole...)
}

func TestAChangeThatFailsFailsTheRunAndEverythingIsTakenBack(t *testing.T) {
	for _, at := range []time.Duration{0, time.Second} {
		r := newRig()
		broken := errors.New("no such replica")
		r.fail["foo is killed"] = broken
		r.Changes = []lab.Change{r.deed("foo is killed", at), r.deed("bar leaves", 2*time.Second)}
		if _, _, err := r.run(t); !errors.Is(err, broken) {
			t.Errorf("at %s: error %v", at, err)
		}
		if did := strings.Join(r.log, ", "); !strings.HasSuffix(did, "revert b, revert a, close") || strings.Contains(did, "bar leaves") {
			t.Errorf("at %s it did %s", at, did)
		}
	}
}

func TestChangesThatAFleetCannotMakeAreUnsupported(t *testing.T) {
	r := newRig()
	for _, change := range []func(context.Context, lab.Standing) error{
		func(ctx context.Context, s lab.Standing) error { return s.Kill(ctx, "foo") },
		func(ctx context.Context, s lab.Standing) error { return s.Leave(ctx, "foo") },
		func(ctx context.Context, s lab.Standing) error { return s.Join(ctx) },
	} {
		r.Changes = []lab.Change{{What: "foo goes", Make: change}}
		if _, _, err := r.run(t); !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("error %v", err)
		}
	}
}

// changing is a fleet that can be changed: deeds of the scene.
type changing struct {
	fleet
	replicas []lab.Replica
}

func (c *changing) Blueprint() lab.Blueprint {
	b := blueprint
	b.Replicas = c.replicas
	return b
}

func (c *changing) Kill(_ context.Context, name string) error { return c.act("kill " + name) }

func (c *changing) Add(context.Context, int) ([]lab.Replica, error) {
	added := []lab.Replica{{Instance: "qux"}}
	c.replicas = append(c.replicas, added...)
	return added, c.act("add qux")
}

func (c *changing) Remove(_ context.Context, names ...string) error {
	c.replicas = slices.DeleteFunc(c.replicas, func(r lab.Replica) bool { return slices.Contains(names, r.Instance) })
	return c.act("remove " + strings.Join(names, " "))
}

// perReplica is a strategy of a step for each replica.
type perReplica struct{ *strategy }

func (p perReplica) Steps(_ lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	var names []string
	for _, r := range to {
		names = append(names, r.Instance)
	}
	return list(p.scene, names...), nil
}

// A replica leaves the exposure before it ends, and joins it when it is ready;
// one that is killed stays in it.
func TestTheExposureFollowsWhatJoinsAndLeaves(t *testing.T) {
	r := newRig()
	r.Strategy = perReplica{r.strategy}
	r.runtime.fleet = &changing{fleet{r.scene}, slices.Clone(blueprint.Replicas)}
	r.Changes = []lab.Change{
		{What: "foo is killed", Make: func(ctx context.Context, s lab.Standing) error { return s.Kill(ctx, "foo") }},
		{What: "bar leaves", At: time.Second, Make: func(ctx context.Context, s lab.Standing) error { return s.Leave(ctx, "bar") }},
		{What: "one joins", At: 2 * time.Second, Make: func(ctx context.Context, s lab.Standing) error { return s.Join(ctx) }},
	}
	if _, _, err := r.run(t); err != nil {
		t.Fatal(err)
	}
	want := []string{"kill foo", "revert bar", "remove bar", "add qux"}
	var at []int
	for _, deed := range want {
		at = append(at, slices.Index(r.log, deed))
	}
	if slices.Contains(at, -1) || !slices.IsSorted(at) || slices.Contains(r.log[:at[1]], "revert foo") {
		t.Errorf("it did %q, want among it %q", r.log, want)
	}
	if !slices.Contains(r.log, "apply qux") {
		t.Errorf("what joined is not exposed: %q", r.log)
	}
}

// trailing is a strategy that follows late.
type trailing struct{ perReplica }

func (trailing) Trails() time.Duration { return 300 * time.Millisecond }

// A replica that leaves goes on until nothing is sent to it any more.
func TestAReplicaEndsOnceAStrategyThatTrailsHasFollowed(t *testing.T) {
	r := newRig()
	r.Strategy = trailing{perReplica{r.strategy}}
	r.runtime.fleet = &changing{fleet{r.scene}, slices.Clone(blueprint.Replicas)}
	r.Changes = []lab.Change{{What: "bar leaves", At: time.Second, Make: func(ctx context.Context, s lab.Standing) error { return s.Leave(ctx, "bar") }}}
	res, _, err := r.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"1s into the load, bar leaves; that took 300ms."}; !slices.Equal(res.Environment.Notes, want) {
		t.Errorf("notes %q, want %q", res.Environment.Notes, want)
	}
}
