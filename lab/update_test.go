package lab_test

import (
	"context"
	"errors"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestUpdateLeavesEqualStepsAlone(t *testing.T) {
	s := newScene()
	x := exposed(t, s, list(s, "a1", "b1"))
	if err := x.Update(t.Context(), list(s, "b1", "a1")); err != nil {
		t.Fatal(err)
	}
	s.did(t)
	stands(t, x, "b1", "a1")
}

func TestUpdateReplacesWhatCanBeReplaced(t *testing.T) {
	s := newScene()
	x := exposed(t, s, []lab.Step{replacer{step{s, "a", "1"}}, replacer{step{s, "b", "1"}}})
	if err := x.Update(t.Context(), []lab.Step{replacer{step{s, "a", "1"}}, replacer{step{s, "b", "2"}}}); err != nil {
		t.Fatal(err)
	}
	s.did(t, "replace b1 by b2")
	stands(t, x, "a1", "b2")
	if err := x.Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.did(t, "revert b2", "revert a1")
}

func TestUpdateAppliesNewStepsBeforeItRevertsOldOnes(t *testing.T) {
	s := newScene()
	x := exposed(t, s, list(s, "a", "b", "c"))
	if err := x.Update(t.Context(), list(s, "b", "d", "e")); err != nil {
		t.Fatal(err)
	}
	s.did(t, "apply d", "apply e", "revert c", "revert a")
	if err := x.Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.did(t, "revert e", "revert d", "revert b")
}

func TestUpdateRevertsAChangedStepThatCannotBeReplaced(t *testing.T) {
	s := newScene()
	x := exposed(t, s, list(s, "a1", "b1"))
	if err := x.Update(t.Context(), list(s, "a2", "b1")); err != nil {
		t.Fatal(err)
	}
	s.did(t, "revert a1", "apply a2")
	if err := x.Revert(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.did(t, "revert b1", "revert a2")
}

func TestUpdateJournalsNewSteps(t *testing.T) {
	s := newScene()
	x := exposed(t, s, list(s, "a"))
	if err := x.Update(t.Context(), []lab.Step{step{s, "a", ""}, noted{step{s, "b", ""}}}); err != nil {
		t.Fatal(err)
	}
	s.did(t, "note b", "journal b", "apply b")
}

// TestFailedUpdateCanOnlyBeReverted fails an update at each thing that it does.
func TestFailedUpdateCanOnlyBeReverted(t *testing.T) {
	for fails, left := range map[string][]string{
		"apply n":          {"revert a", "revert c1", "revert b1", "revert o"},
		"replace b1 by b2": {"revert n", "revert a", "revert c1", "revert b1", "revert o"},
		"revert c1":        {"revert n", "revert a", "revert c1", "revert b2", "revert o"},
		"apply c2":         {"revert n", "revert a", "revert b2", "revert o"},
		"revert o":         {"revert c2", "revert n", "revert a", "revert b2", "revert o"},
	} {
		t.Run(fails, func(t *testing.T) {
			s := newScene()
			x := exposed(t, s, []lab.Step{
				step{s, "o", ""}, replacer{step{s, "b", "1"}}, step{s, "c", "1"}, step{s, "a", ""},
			})
			next := []lab.Step{
				step{s, "a", ""}, step{s, "n", ""}, replacer{step{s, "b", "2"}}, step{s, "c", "2"},
			}
			s.fail[fails] = errSaid
			if err := x.Update(t.Context(), next); !errors.Is(err, errSaid) {
				t.Fatalf("got %v, want what the system said", err)
			}
			delete(s.fail, fails)
			s.log = nil

			if err := x.Update(t.Context(), next); err == nil {
				t.Error("an exposure in an unknown state was updated")
			}
			s.did(t)
			if err := x.Revert(t.Context()); err != nil {
				t.Errorf("it cannot be reverted: %v", err)
			}
			s.did(t, left...)
			stands(t, x)
		})
	}
}

func TestRevertGoesOnAfterErrorsAndTriesAgain(t *testing.T) {
	s := newScene()
	x := exposed(t, s, list(s, "a", "b", "c"))
	first, second := errors.New("first"), errors.New("second")
	s.fail["revert c"], s.fail["revert a"] = first, second
	if err := x.Revert(t.Context()); !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("an error is lost: %v", err)
	}
	s.did(t, "revert c", "revert b", "revert a")
	stands(t, x, "a", "c")

	clear(s.fail)
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	s.did(t, "revert c", "revert a")
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	s.did(t)
}

func TestRevertWorksAfterItsContextHasEnded(t *testing.T) {
	s := newScene()
	x := exposed(t, s, list(s, "a", "b"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Revert(ctx); err != nil {
		t.Errorf("a cancelled run leaves its steps behind: %v", err)
	}
	s.did(t, "revert b", "revert a")
}
