package kernel

import (
	"math"
	"reflect"
	"testing"
)

// A table spreads as the weights say, whatever they are.
func TestAliasTableHasTheShares(t *testing.T) {
	for _, weights := range [][]float64{{1}, {1, 1}, {3, 1}, {1, 2, 3, 4, 5}, {0.001, 1000}, {1, 1, 1, 97}} {
		var sum float64
		for _, w := range weights {
			sum += w
		}
		shares := make([]float64, len(weights))
		for i, w := range weights {
			shares[i] = w / sum
		}
		got := make([]float64, len(shares))
		table := aliasTable(shares)
		for _, c := range table {
			own := (float64(c.Threshold) + 1) / (1 << 32)
			got[c.Index] += own / float64(len(table))
			got[c.Alias] += (1 - own) / float64(len(table))
		}
		for i := range shares {
			if math.Abs(got[i]-shares[i]) > 1e-8 {
				t.Errorf("weights %v: shares %v, want %v", weights, got, shares)
			}
		}
	}
}

// A round of turns gives each its weight, and spreads its turns.
func TestTurnTableIsSmooth(t *testing.T) {
	var got []uint32
	for _, c := range turnTable([]float64{5. / 7, 1. / 7, 1. / 7}) {
		got = append(got, c.Index)
	}
	if want := []uint32{0, 0, 1, 0, 2, 0, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v as nginx has it", got, want)
	}
	if n := len(turnTable([]float64{math.Pi / 4, 1 - math.Pi/4})); n != turnLength {
		t.Errorf("a round of %d turns, want %d", n, turnLength)
	}
}
