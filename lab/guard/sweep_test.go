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
