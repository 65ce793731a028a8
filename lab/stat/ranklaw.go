package stat

import "math"

// exactRankSum is the two-sided p-value of U over all ways to deal the values
// out into samples of nx and ny.
func exactRankSum(u float64, nx, ny int, r ranking) float64 {
	var ways []float64
	scale := 1.0
	if r.tied() {
		ways, scale = tiedWays(nx, ny, r.ties), 2 // U comes in halves
	} else {
		ways = untiedWays(nx, ny)
	}
	var below, above, total float64
	for i, w := range ways {
		total += w
		if float64(i) <= scale*u {
			below += w
		}
		if float64(i) >= scale*u {
			above += w
		}
	}
	return min(2*min(below, above)/total, 1)
}

// untiedWays counts, for each U from 0, the ways to deal nx + ny different
// values out that give it: the coefficients of the Gaussian binomial, which is
// the product of (1 - q^(ny+i)) / (1 - q^i) over i up to nx (Andrews 1976, "The
// Theory of Partitions", chapter 3).
func untiedWays(nx, ny int) []float64 {
	ways := make([]float64, nx*ny+1)
	ways[0] = 1
	for i := 1; i <= nx; i++ {
		for u := len(ways) - 1; u >= ny+i; u-- {
			ways[u] -= ways[u-ny-i]
		}
		for u := i; u < len(ways); u++ {
			ways[u] += ways[u-i]
		}
	}
	return ways
}

// tiedWays counts, for each 2U from 0, the ways to deal values out of which
// ties share each rank (Klotz 1966, "The Wilcoxon, Ties, and the Computer").
// It goes up the ranks: k of t equal values for x add k for each value of y
// below, and one half for each of the t - k of y among them.
func tiedWays(nx, ny int, ties []int) []float64 {
	law := make([][]float64, nx+1) // by values of x so far, then by 2U
	for i := range law {
		law[i] = make([]float64, 2*nx*ny+1)
	}
	law[0][0] = 1
	below := 0 // values of lower rank
	for _, t := range ties {
		// From the top, so that each sum reads only what is of the ranks before.
		for x := min(nx, below+t); x >= 0; x-- {
			next := make([]float64, 2*nx*ny+1)
			for k := max(0, x-below); k <= min(t, x); k++ {
				before := x - k
				yBelow := below - before
				if yBelow+t-k > ny {
					continue
				}
				add, choose := 2*k*yBelow+k*(t-k), binomial(t, k)
				for u, w := range law[before] {
					if w > 0 {
						next[u+add] += w * choose
					}
				}
			}
			law[x] = next
		}
		below += t
	}
	return law[nx]
}

// binomial is n over k.
func binomial(n, k int) float64 { return math.Exp(logBinomial(n, k)) }

func logBinomial(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - (b + c)
}
