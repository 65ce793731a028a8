package stat

import (
	"errors"
	"testing"
)

func turns(n, k int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i % k
	}
	return s
}

func TestOrderSeesTurnsAndBlocks(t *testing.T) {
	for _, k := range []int{2, 3, 10} {
		o, err := RunsTest(turns(300, k), 1)
		if err != nil {
			t.Fatal(err)
		}
		if o.Repeats != 0 || o.PFew > 1e-6 || o.PMany < 0.99 {
			t.Errorf("%d in turn: %+v", k, o)
		}
		blocks := make([]int, 300)
		for i := range blocks {
			blocks[i] = i * k / 300
		}
		if o, err = RunsTest(blocks, 1); err != nil || o.PMany > 1e-6 || o.Repeats != 300-k {
			t.Errorf("%d in blocks: %+v, error %v", k, o, err)
		}
	}
}

func TestOrderRefuses(t *testing.T) {
	for _, s := range [][]int{nil, {1}} {
		if _, err := RunsTest(s, 1); !errors.Is(err, ErrNoObservations) {
			t.Errorf("%v: %v", s, err)
		}
	}
	if _, err := RunsTest([]int{2, 2, 2}, 1); !errors.Is(err, ErrOneCategory) {
		t.Errorf("one category: %v", err)
	}
}

// 5% must be 5%, in both methods, whatever the shares.
func TestOrderKeepsItsLevel(t *testing.T) {
	for _, c := range []struct {
		n, runs int
		shares  []float64
	}{{300, 1500, equal(2)}, {300, 1500, equal(10)}, {300, 1500, []float64{0.8, 0.2}}, {20, 150, equal(2)}} {
		m := law(t, c.shares)
		rng, alarms := newRand(9), 0
		for seed := range uint64(c.runs) {
			s := make([]int, c.n)
			for i := range s {
				s[i] = m.pick(rng.Float64())
			}
			if o, err := RunsTest(s, seed); err == nil && o.P < 0.05 {
				alarms++
			}
		}
		if seen := ClopperPearson(alarms, c.runs, 0.999); seen.Low > 0.05 {
			t.Errorf("n %d, %v: %v of random orders rejected at 0.05", c.n, c.shares, seen)
		}
	}
}
