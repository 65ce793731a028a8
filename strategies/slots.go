package strategies

import (
	"math/big"
	"net/netip"
	"slices"
	"strconv"

	"github.com/portlab/portlab/lab"
)

// maxSlots is how many elements a map may have for the sake of weights.
const maxSlots = 1 << 16

// slotsOf gives each replica places in a row, as many as its weight says: with
// weights 3 and 1 the first has three of four. Weights that differ by no ratio
// of small numbers are a usage error.
func slotsOf(to []lab.Replica) ([]netip.AddrPort, error) {
	weights, ok := wholeWeights(to)
	if !ok {
		return nil, lab.Usagef("the weights come to more than %d parts: use ratios of smaller numbers, such as 3,1", maxSlots)
	}
	var slots []netip.AddrPort
	for i, r := range to {
		slots = append(slots, slices.Repeat([]netip.AddrPort{r.Address}, weights[i])...)
	}
	return slots, nil
}

// wholeWeights are the least whole numbers in the ratio of the weights; false if
// their sum is above maxSlots.
func wholeWeights(to []lab.Replica) (whole []int, ok bool) {
	all := make([]*big.Rat, len(to))
	least := big.NewInt(1) // common multiple of the denominators
	for i, r := range to {
		all[i] = decimal(r.Weight)
		d := all[i].Denom()
		least.Mul(least, new(big.Int).Div(d, new(big.Int).GCD(nil, nil, least, d)))
	}
	greatest := new(big.Int) // common divisor of the numerators
	numbers := make([]*big.Int, len(to))
	for i, w := range all {
		numbers[i] = new(big.Int).Mul(w.Num(), new(big.Int).Div(least, w.Denom()))
		greatest.GCD(nil, nil, greatest, numbers[i])
	}
	sum := 0
	for _, n := range numbers {
		n.Div(n, greatest)
		if !n.IsInt64() || n.Int64() > maxSlots {
			return nil, false
		}
		whole = append(whole, int(n.Int64()))
		sum += int(n.Int64())
	}
	return whole, sum <= maxSlots
}

// decimal is a weight as it was typed: 0.1 is a tenth, and not the nearest
// binary fraction.
func decimal(w float64) *big.Rat {
	r, _ := new(big.Rat).SetString(strconv.FormatFloat(w, 'f', -1, 64))
	return r
}
