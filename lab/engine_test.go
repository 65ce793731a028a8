package lab_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
)

// list makes steps of a scene; a name may carry content: "a1" is step a with
// content 1.
func list(s *scene, names ...string) []lab.Step {
	var all []lab.Step
	for _, n := range names {
		all = append(all, step{s, n[:1], n[1:]})
	}
	return all
}

// exposed applies steps and forgets that it did.
func exposed(t *testing.T, s *scene, steps []lab.Step) *lab.Exposure {
	t.Helper()
	x, err := lab.Expose(t.Context(), nil, journal{s}, steps)
	if err != nil {
		t.Fatal(err)
	}
	s.log = nil
	return x
}

// standing are the steps applied now, as list takes them.
func standing(x *lab.Exposure) []string {
	names := []string{}
	for _, s := range x.Steps() {
		switch s := s.(type) {
		case step:
			names = append(names, s.id+s.content)
		case replacer:
			names = append(names, s.id+s.content)
		case noted:
			names = append(names, s.id+s.content)
		}
	}
	return names
}

func stands(t *testing.T, x *lab.Exposure, want ...string) {
	t.Helper()
	if got := standing(x); !slices.Equal(got, want) {
		t.Errorf("the steps applied are %q, want %q", got, want)
	}
}

func TestExposeAppliesInOrderAndJournalsBefore(t *testing.T) {
	s := newScene()
	x, err := lab.Expose(t.Context(), nil, journal{s}, []lab.Step{
		step{s, "a", ""}, noted{step{s, "b", ""}}, step{s, "c", ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.did(t, "apply a", "note b", "journal b", "apply b", "apply c")
	stands(t, x, "a", "b", "c")
	if err := x.Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.did(t, "revert c", "revert b", "revert a")
	stands(t, x)
}

func TestExposeAppliesNothingThatIsNotJournalled(t *testing.T) {
	for _, fails := range []string{"note b", "journal b"} {
		s := newScene()
		s.fail[fails] = errSaid
		x, err := lab.Expose(t.Context(), nil, journal{s}, []lab.Step{step{s, "a", ""}, noted{step{s, "b", ""}}})
		if x != nil || !errors.Is(err, errSaid) {
			t.Errorf("%s: exposure %v, error %v", fails, x, err)
		}
		if slices.Contains(s.log, "apply b") {
			t.Errorf("%s failed, and the step was applied: %q", fails, s.log)
		}
		if s.log[len(s.log)-1] != "revert a" {
			t.Errorf("%s failed, and the step before it stands: %q", fails, s.log)
		}
	}
	s := newScene()
	if _, err := lab.Expose(t.Context(), nil, nil, []lab.Step{noted{step{s, "b", ""}}}); err == nil {
		t.Error("a step that needs a journal was applied without one")
	}
	s.did(t, "note b")
}

func TestFailedExposeRevertsWhatWasAppliedAndJoinsErrors(t *testing.T) {
	s := newScene()
	refused := &lab.RefusedError{What: "bind", Err: errors.New("address already in use")}
	stuck := errors.New("device or resource busy")
	s.fail["apply d"], s.fail["revert b"] = refused, stuck
	x, err := lab.Expose(t.Context(), nil, nil, list(s, "a", "b", "c", "d", "e"))
	if x != nil {
		t.Error("a failed exposure was returned")
	}
	s.did(t, "apply a", "apply b", "apply c", "apply d", "revert c", "revert b", "revert a")
	if !errors.Is(err, refused) || !errors.Is(err, stuck) {
		t.Errorf("one of two errors is lost: %v", err)
	}
	unclean, ok := errors.AsType[*lab.UncleanError](err)
	if !ok || !errors.Is(unclean, stuck) || errors.Is(unclean, refused) {
		t.Errorf("what could not be taken away is not told from what failed: %v", err)
	}
}

func TestExposeStopsWhenItsContextEnds(t *testing.T) {
	s := newScene()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := lab.Expose(ctx, nil, nil, []lab.Step{step{s, "a", ""}, cancelling{step{s, "b", ""}, cancel}, step{s, "c", ""}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	s.did(t, "apply a", "apply b", "revert b", "revert a")
}

// cancelling is a step during which the run is cancelled.
type cancelling struct {
	step
	cancel func()
}

func (c cancelling) Apply(context.Context, lab.Host) error {
	defer c.cancel()
	return c.act("apply " + c.id)
}

func TestTwoStepsOfOneIDAreRefused(t *testing.T) {
	s := newScene()
	if _, err := lab.Expose(t.Context(), nil, nil, list(s, "a", "b", "a2")); err == nil {
		t.Error("Expose took two steps of one ID")
	}
	s.did(t)

	x := exposed(t, s, list(s, "a", "b"))
	if err := x.Update(t.Context(), list(s, "c", "c2")); err == nil {
		t.Error("Update took two steps of one ID")
	}
	s.did(t)
	if err := x.Update(t.Context(), list(s, "a", "b", "c")); err != nil {
		t.Errorf("a list that was refused unread broke the exposure: %v", err)
	}
	s.did(t, "apply c")
}
