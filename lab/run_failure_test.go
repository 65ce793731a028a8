package lab_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// TestRunCleansUpWhereverItFails fails a run at each thing that it does.
func TestRunCleansUpWhereverItFails(t *testing.T) {
	for fails, did := range map[string][]string{
		"host":    {"host"},
		"open":    {"host", "open"},
		"draft":   {"host"},
		"steps":   {"host"}, // what cannot be described is said before anything is touched
		"apply b": {"host", "open", "apply a", "apply b", "revert a", "close"},
		"place":   {"host", "open", "apply a", "apply b", "revert b", "revert a", "close"},
		"probe":   {"host", "open", "apply a", "apply b", "revert b", "revert a", "close"},
		"load":    whole,
	} {
		r := newRig()
		r.fail[fails] = errSaid
		res, _, err := r.run(t)
		if !errors.Is(err, errSaid) {
			t.Errorf("%s: got %v, want what the system said", fails, err)
		}
		if _, unclean := errors.AsType[*lab.UncleanError](err); unclean {
			t.Errorf("%s: a failure counts as one of cleaning up", fails)
		}
		if res != nil && len(res.Verdicts) > 0 {
			t.Errorf("%s: there are verdicts on what was not measured: %+v", fails, res.Verdicts)
		}
		r.did(t, did...)
	}
}

func TestFailedLoadKeepsItsSamples(t *testing.T) {
	r := newRig()
	r.fail["load"] = errSaid
	if _, samples, _ := r.run(t); len(samples) != 8 || samples[0].Request != 0 {
		t.Errorf("samples %+v, want those of 8 requests in their order", samples)
	}
}

// TestCancelledRunCleansUp cancels a run while a step is applied, while it
// waits for the front and under load.
func TestCancelledRunCleansUp(t *testing.T) {
	for name, at := range map[string]func(*rig){
		"step": func(r *rig) {
			r.strategy.steps = []lab.Step{step{r.scene, "a", ""}, cancelling{step{r.scene, "b", ""}, func() { r.cancel() }}, step{r.scene, "c", ""}}
		},
		"probe": func(r *rig) {
			r.driver.reply = func(lab.Plan, int) lab.Sample {
				r.cancel()
				return lab.Sample{Fault: lab.Refused}
			}
		},
		"load": func(r *rig) {
			r.driver.reply = func(p lab.Plan, i int) lab.Sample {
				if p.Requests > 1 {
					r.cancel()
				}
				return inTurn(p, i)
			}
		},
	} {
		r := newRig()
		at(r)
		res, _, err := r.run(t)
		if !errors.Is(err, context.Canceled) || len(res.Verdicts) > 0 {
			t.Errorf("%s: error %v, verdicts %v", name, err, res.Verdicts)
		}
		if end := whole[len(whole)-3:]; len(r.log) < 3 || !slices.Equal(r.log[len(r.log)-3:], end) {
			t.Errorf("%s: did %q, which does not end in %q", name, r.log, end)
		}
		if slices.Contains(r.log, "load") != (name == "load") {
			t.Errorf("%s: did %q", name, r.log)
		}
	}
}

func TestFrontThatNeverAnswersEndsTheRunWithTheLogs(t *testing.T) {
	r := newRig()
	r.driver.reply = func(_ lab.Plan, i int) lab.Sample {
		if i%5 == 4 { // never five good ones in a row
			return lab.Sample{Fault: lab.Reset, Detail: "peer went away"}
		}
		return lab.Sample{Instance: "foo"}
	}
	res, _, err := r.run(t)
	if err == nil {
		t.Fatal("the load was offered to a front that does not stand")
	}
	for _, part := range []string{"198.19.0.1:8080", "peer went away", "foo is unwell"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q says nothing of %q", err, part)
		}
	}
	r.did(t, slices.DeleteFunc(slices.Clone(whole), func(s string) bool { return s == "load" })...)
	// It has its patience, and no more than a load's time-out beyond it.
	if waited := res.Timings.Total - res.Timings.Open - res.Timings.Close; waited < 10*time.Second || waited > 30*time.Second {
		t.Errorf("it waited for %s", waited)
	}
}

func TestRefusalIsAVerdictOnEveryClaim(t *testing.T) {
	for fails, did := range map[string][]string{
		"open":    {"host", "open"},
		"apply b": {"host", "open", "apply a", "apply b", "revert a", "close"},
	} {
		r := newRig()
		r.fail[fails] = &lab.RefusedError{What: "bind", Err: syscall.EADDRINUSE}
		res, _, err := r.run(t)
		if err != nil {
			t.Errorf("%s: the finding became an error: %v", fails, err)
		}
		r.did(t, did...)
		if len(res.Verdicts) != 2 {
			t.Fatalf("%s: verdicts %+v, want one on each of two claims", fails, res.Verdicts)
		}
		for i, v := range res.Verdicts {
			if v.Claim != r.Claims[i].Name() || v.Outcome != lab.RefusedByHost || v.Asked != (i == 0) ||
				!strings.Contains(v.Sentence, syscall.EADDRINUSE.Error()) {
				t.Errorf("%s: verdict %+v", fails, v)
			}
		}
	}
}

func TestRefusalDoesNotHideWhatWasLeftBehind(t *testing.T) {
	r := newRig()
	r.fail["apply b"] = &lab.RefusedError{What: "bind", Err: syscall.EADDRINUSE}
	r.fail["revert a"] = errSaid
	res, _, err := r.run(t)
	if unclean, ok := errors.AsType[*lab.UncleanError](err); !ok || !errors.Is(unclean, errSaid) {
		t.Errorf("got %v, want an error of cleaning up", err)
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the finding became an error: %v", err)
	}
	if len(res.Verdicts) != 2 || res.Verdicts[0].Outcome != lab.RefusedByHost {
		t.Errorf("the finding is lost: %+v", res.Verdicts)
	}
}

func TestErrorsOfCleaningUpAreToldBesideTheResult(t *testing.T) {
	for _, stuck := range [][]string{{"revert a"}, {"close"}, {"revert a", "close"}} {
		r := newRig()
		for _, what := range stuck {
			r.fail[what] = errors.New(what + " is stuck")
		}
		res, _, err := r.run(t)
		if _, ok := errors.AsType[*lab.UncleanError](err); !ok {
			t.Errorf("%q: got %v, want an error of cleaning up", stuck, err)
		}
		for _, what := range stuck {
			if !errors.Is(err, r.fail[what]) {
				t.Errorf("%q: the error of %s is lost: %v", stuck, what, err)
			}
		}
		if len(res.Verdicts) != 2 {
			t.Errorf("%q: the result is lost: %+v", stuck, res.Verdicts)
		}
		r.did(t, whole...)
	}
}

func TestErrorsOfCleaningUpDoNotHideWhatFailed(t *testing.T) {
	r := newRig()
	stuck := errors.New("stuck")
	r.fail["load"], r.fail["close"] = errSaid, stuck
	_, _, err := r.run(t)
	if !errors.Is(err, errSaid) || !errors.Is(err, stuck) {
		t.Errorf("one of two errors is lost: %v", err)
	}
	if unclean, ok := errors.AsType[*lab.UncleanError](err); !ok || errors.Is(unclean, errSaid) {
		t.Errorf("what could not be taken away is not told from what failed: %v", err)
	}
	r.did(t, whole...)
}
