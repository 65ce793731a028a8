package guard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestSweepGoesInOrderAndGoesOnAfterAnError(t *testing.T) {
	dead := lab.NewRunID()
	var mu sync.Mutex
	var gone []lab.TraceKind
	busy := errors.New("busy")
	var all []lab.Trace
	for _, kind := range slices.Backward(lab.TraceKinds()) {
		all = append(all, lab.Trace{Run: dead, Kind: kind, Name: string(kind), Remove: func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, kind)
			if kind == lab.RuleTrace {
				return busy
			}
			return nil
		}})
	}
	blind := errors.New("blind")
	s := Sweeper{Find: []lab.Finder{
		func(context.Context) ([]lab.Trace, error) { return nil, blind },
		func(context.Context) ([]lab.Trace, error) { return all, nil },
	}}
	removed, err := s.Sweep(t.Context())
	if !errors.Is(err, busy) || !errors.Is(err, blind) {
		t.Errorf("errors are lost: %v", err)
	}
	if !slices.Equal(gone, lab.TraceKinds()) {
		t.Errorf("went in the order %v", gone)
	}
	if len(removed) != len(all)-1 {
		t.Errorf("%d of %d are said to be removed, and one failed", len(removed), len(all))
	}
}

func TestSweepLeavesTheLivingAlone(t *testing.T) {
	living, dead := lab.NewRunID(), lab.NewRunID()
	h, err := take(runName(living))
	if err != nil {
		t.Fatal(err)
	}
	defer h.conn.Close()
	swept := map[lab.RunID]int{}
	find := func(context.Context) ([]lab.Trace, error) {
		var all []lab.Trace
		for _, id := range []lab.RunID{living, dead} {
			all = append(all, lab.Trace{Run: id, Kind: lab.FileTrace, Remove: func(context.Context) error {
				swept[id]++
				return nil
			}})
		}
		return all, nil
	}
	s := Sweeper{Find: []lab.Finder{find}}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if swept[living] != 0 || swept[dead] != 1 {
		t.Errorf("swept %v", swept)
	}
	if _, err := s.SweepRun(t.Context(), living); err != nil {
		t.Fatal(err)
	}
	if swept[living] != 1 || swept[dead] != 1 {
		t.Errorf("swept %v", swept)
	}
}

// fileOf is a trace of a run, whose removal is an error in these tests.
func fileOf(t *testing.T, id lab.RunID) lab.Trace {
	return lab.Trace{Run: id, Kind: lab.FileTrace, Name: string(id), Remove: func(context.Context) error {
		t.Errorf("the trace of %s is removed", id)
		return nil
	}}
}

func TestSweepSaysNothingOfARunThatEndsWhileItLooks(t *testing.T) {
	ending, dead, late := lab.NewRunID(), lab.NewRunID(), lab.NewRunID()
	h, err := take(runName(ending))
	if err != nil {
		t.Fatal(err)
	}
	left := fileOf(t, dead)
	left.Remove = func(context.Context) error { return nil }
	listings := [][]lab.Trace{{fileOf(t, ending), left}, {left, fileOf(t, late)}}
	s := Sweeper{Find: []lab.Finder{func(context.Context) ([]lab.Trace, error) {
		_ = h.conn.Close() // the run ends when its things have been listed
		now := listings[0]
		listings = listings[1:]
		return now, nil
	}}}
	swept, err := s.Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(swept) != 1 || swept[0].Run != dead {
		t.Errorf("swept %v, want what %s left alone", swept, dead)
	}
}

func TestDeadLooksOnceWhereThereIsNothing(t *testing.T) {
	living := lab.NewRunID()
	h, err := take(runName(living))
	if err != nil {
		t.Fatal(err)
	}
	defer h.conn.Close()
	looked := 0
	s := Sweeper{Find: []lab.Finder{func(context.Context) ([]lab.Trace, error) {
		looked++
		return []lab.Trace{fileOf(t, living)}, nil
	}}}
	if found, err := s.Dead(t.Context()); len(found) != 0 || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	if looked != 1 {
		t.Errorf("looked %d times", looked)
	}
}

func TestDeadSaysOnceWhatItCouldNotSeeInEitherLook(t *testing.T) {
	first, second, both := errors.New("blind at first"), errors.New("blind then"), errors.New("blind")
	fails := func(with ...error) lab.Finder {
		return func(context.Context) ([]lab.Trace, error) {
			err := with[0]
			with = with[1:]
			return nil, err
		}
	}
	s := Sweeper{Find: []lab.Finder{
		fails(first, nil), fails(nil, second), fails(both, both),
		func(context.Context) ([]lab.Trace, error) { return []lab.Trace{fileOf(t, "k3f9a2")}, nil },
	}}
	found, err := s.Dead(t.Context())
	if len(found) != 1 {
		t.Errorf("found %v", found)
	}
	if err == nil || err.Error() != errors.Join(first, second, both).Error() {
		t.Errorf("said %v", err)
	}
}
