package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/portlab/portlab/lab"
)

// portion is what one instance got, with the interval of its share if a
// verdict gives one.
type portion struct {
	lab.InstanceResult
	bounded   bool
	low, high float64 // simultaneous confidence interval of the share
}

// portions are those of all instances, in the fleet's order.
func portions(r *lab.Result) []portion {
	bounds := map[string]lab.ShareInterval{}
	if v := sharesOf(r); v != nil {
		for _, s := range v.Shares {
			bounds[s.Instance] = s
		}
	}
	all := make([]portion, len(r.Instances))
	for i, in := range r.Instances {
		s, ok := bounds[in.Name]
		all[i] = portion{InstanceResult: in, bounded: ok, low: s.Low, high: s.High}
	}
	return all
}

// byConnections orders portions from the fewest connections to the most.
func byConnections(all []portion) []portion {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b portion) int { return cmp.Compare(a.Connections, b.Connections) })
	return sorted
}

// served says whether any connection is known to have reached an instance.
func served(r *lab.Result) bool {
	return slices.ContainsFunc(r.Instances, func(in lab.InstanceResult) bool { return in.Connections > 0 })
}

// extremes are the first n and the last n of a longer list.
func extremes[T any](all []T, n int) (first, last []T) {
	return all[:min(n, len(all))], all[max(len(all)-n, 0):]
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
