package kernel

import "math"

// column is one of Walker's alias method (Walker 1977, An efficient method for
// generating discrete random variables with general distributions): of what
// falls on it, the part up to the threshold, of 2^32, is for one replica and the
// rest for another. So weights cost nothing on the path, at any number of replicas.
type column struct {
	Threshold uint32
	Index     uint32
	Alias     uint32
}

const columnSize = 12 // bytes

// aliasTable spreads by weight what is even over columns and thresholds.
func aliasTable(shares []float64) []column {
	table := make([]column, len(shares))
	height := make([]float64, len(shares))
	var low, high []int
	for i, s := range shares {
		height[i] = s * float64(len(shares))
		table[i] = column{Threshold: math.MaxUint32, Index: uint32(i), Alias: uint32(i)}
		if height[i] < 1 {
			low = append(low, i)
		} else {
			high = append(high, i)
		}
	}
	for len(low) > 0 && len(high) > 0 {
		l, h := low[len(low)-1], high[len(high)-1]
		low = low[:len(low)-1]
		table[l].Threshold, table[l].Alias = uint32(height[l]*math.MaxUint32), uint32(h)
		height[h] -= 1 - height[l]
		if height[h] < 1 {
			high, low = high[:len(high)-1], append(low, h)
		}
	}
	return table
}

// turnLength bounds a round of turns by weight.
const turnLength = 4096

// turnTable is one round of turns, by smooth weighted round robin: each gets its
// turns spread over the round, as nginx does it. Weights that do not divide a
// round of turnLength are rounded to it.
func turnTable(shares []float64) []column {
	length := len(shares)
	for length < turnLength && !whole(shares, length) {
		length++
	}
	credit := make([]float64, len(shares))
	table := make([]column, length)
	for turn := range table {
		best := 0
		for i, s := range shares {
			credit[i] += s
			if credit[i] > credit[best]+1e-9 {
				best = i
			}
		}
		credit[best]--
		table[turn] = column{Threshold: math.MaxUint32, Index: uint32(best), Alias: uint32(best)}
	}
	return table
}

// whole says whether a round of that many turns gives each a whole number.
func whole(shares []float64, length int) bool {
	for _, s := range shares {
		n := s * float64(length)
		if math.Abs(n-math.Round(n)) > 1e-6 {
			return false
		}
	}
	return true
}
