package compare

import "math/rand/v2"

// orders are the orders of n arms, one or more, in each of some rounds: rows of Williams
// squares (Williams 1949, "Experimental designs balanced for the estimation of
// residual effects of treatments"), in which each arm comes once in each
// position and follows each other arm equally often, so that neither a
// position nor what ran before favours an arm. With n even, every n rounds are
// one square; with n odd, two squares, the second one mirrored, share the
// balance of who follows whom. Which arm is which in a square, and the order of
// its rows, is drawn anew for each.
//
// Where the number of rounds is no multiple of n, no arm comes in any position
// more than once more often than any other.
func orders(n, rounds int, rng *rand.Rand) [][]int {
	var all [][]int
	var labels []int
	for square := 0; len(all) < rounds; square++ {
		mirrored := n%2 == 1 && square%2 == 1
		if !mirrored { // the mirror must have the same arms for the pair to balance
			labels = rng.Perm(n)
		}
		first := williamsRow(n)
		for _, shift := range rng.Perm(n) {
			row := make([]int, n)
			for position, arm := range first {
				if mirrored {
					position = n - 1 - position
				}
				row[position] = labels[(arm+shift)%n]
			}
			all = append(all, row)
		}
	}
	return all[:rounds]
}

// williamsRow is the first row of a Williams square: 0, 1, n-1, 2, n-2, ...,
// whose steps from one to the next are all different where n is even.
func williamsRow(n int) []int {
	row := make([]int, 0, n)
	for low, high := 1, n-1; len(row) < n; {
		switch k := len(row); {
		case k == 0:
			row = append(row, 0)
		case k%2 == 1:
			row = append(row, low)
			low++
		default:
			row = append(row, high)
			high--
		}
	}
	return row
}
