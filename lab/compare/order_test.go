package compare

import (
	"math/rand/v2"
	"testing"
)

// In whole squares every arm comes equally often in every position, and after
// every other arm; in a part of one, no position has any arm more than once too often.
func TestOrdersAreBalanced(t *testing.T) {
	for n := 2; n <= 9; n++ {
		whole := n
		if n%2 == 1 {
			whole = 2 * n
		}
		all := orders(n, 2*whole, rand.New(rand.NewPCG(uint64(n), 1)))
		at, after := countOrders(n, all[:whole])
		for a := range n {
			for b := range n {
				if at[a][b] != whole/n {
					t.Errorf("%d arms: arm %d comes %d times in position %d, want %d", n, a, at[a][b], b, whole/n)
				}
				if a != b && after[a][b] != whole/n {
					t.Errorf("%d arms: arm %d comes %d times right after arm %d, want %d", n, b, after[a][b], a, whole/n)
				}
			}
		}
		for rounds := 1; rounds <= 2*whole; rounds++ {
			at, _ := countOrders(n, all[:rounds])
			for a := range n {
				for p := range n {
					if few := rounds / n; at[a][p] < few || at[a][p] > few+1 {
						t.Errorf("%d arms, %d rounds: arm %d comes %d times in position %d", n, rounds, a, at[a][p], p)
					}
				}
			}
		}
	}
}

// countOrders says how often each arm is in each position, and how often the
// second index comes right after the first.
func countOrders(n int, rows [][]int) (at, after [][]int) {
	for range n {
		at, after = append(at, make([]int, n)), append(after, make([]int, n))
	}
	for _, row := range rows {
		for p, arm := range row {
			at[arm][p]++
			if p > 0 {
				after[row[p-1]][arm]++
			}
		}
	}
	return at, after
}

func TestOrdersAreDrawnFromTheSeed(t *testing.T) {
	draw := func(seed uint64) [][]int { return orders(6, 12, rand.New(rand.NewPCG(seed, 0))) }
	same := func(a, b [][]int) bool {
		for i := range a {
			for j := range a[i] {
				if a[i][j] != b[i][j] {
					return false
				}
			}
		}
		return true
	}
	if !same(draw(7), draw(7)) {
		t.Error("one seed gives two orders")
	}
	if same(draw(7), draw(8)) {
		t.Error("two seeds give one order")
	}
}
