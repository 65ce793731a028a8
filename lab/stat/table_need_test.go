package stat_test

import (
	"math/rand/v2"
	"testing"

	"github.com/portlab/portlab/lab/stat"
)

func TestNeededIndependent(t *testing.T) {
	rng := rand.New(rand.NewPCG(41, 42))
	const runs = 200
	for _, c := range [][2]int{{2, 4}, {3, 4}} {
		rows, columns := c[0], c[1]
		n := stat.NeededIndependent(rows, columns, 0.3, 0.95, 0.8)
		below := 0
		for range runs {
			table := make([][]int, rows)
			for i := range table {
				table[i] = make([]int, columns)
			}
			for range n {
				table[rng.IntN(rows)][rng.IntN(columns)]++
			}
			got, err := stat.IndependenceTest(table, 0.95, 1)
			if err != nil {
				t.Fatal(err)
			}
			if got.Bounds.High <= 0.3 {
				below++
			}
		}
		// 160 are to be expected, with a standard deviation of 6.
		if below < 138 || below > 182 {
			t.Errorf("%d by %d: %d observations put the bound below 0.3 in %d of %d tables", rows, columns, n, below, runs)
		}
	}
	for _, none := range []int{stat.NeededIndependent(1, 4, 0.3, 0.95, 0.8), stat.NeededIndependent(2, 4, 0, 0.95, 0.8)} {
		if none != 0 {
			t.Errorf("%d observations where there is no number", none)
		}
	}
}
