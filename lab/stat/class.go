package stat

import (
	"slices"
	"time"
)

// Quartiles puts each duration into a class from 0 to 3 by the quartiles of
// them all. A duration that equals a quartile belongs to the class below it,
// so equal durations share a class, and a class may stay empty.
func Quartiles(d []time.Duration) []int {
	if len(d) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(d))
	var bounds [3]time.Duration
	for q := range bounds {
		bounds[q] = sorted[((q+1)*len(sorted)+3)/4-1]
	}
	classes := make([]int, len(d))
	for i, x := range d {
		for _, b := range bounds {
			if x > b {
				classes[i]++
			}
		}
	}
	return classes
}
