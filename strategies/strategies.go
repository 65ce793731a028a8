// Package strategies holds the ways to put replicas behind one front: one file
// each, which registers itself. A strategy describes; [lab.Expose] does.
package strategies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

var registry = map[string]lab.Strategy{}

// register makes a strategy known. It panics on a name that is taken: two
// strategies of one name are a mistake of the build, found at its first start.
func register(s lab.Strategy) {
	if _, taken := registry[s.Name()]; taken {
		panic(fmt.Sprintf("two strategies are called %s", s.Name()))
	}
	registry[s.Name()] = s
}

// All lists the strategies by name.
func All() []lab.Strategy {
	return slices.SortedFunc(maps.Values(registry), func(a, b lab.Strategy) int {
		return strings.Compare(a.Name(), b.Name())
	})
}

// Find gives the strategy of that name. Where there is none, it returns a
// [lab.UsageError] that suggests the nearest name.
func Find(name string) (lab.Strategy, error) {
	if s, ok := registry[name]; ok {
		return s, nil
	}
	names := slices.Sorted(maps.Keys(registry))
	if best := nearest(name, names); best != "" {
		return nil, lab.Usagef("unknown strategy %q: did you mean %s?", name, best)
	}
	return nil, lab.Usagef("unknown strategy %q: use one of %s", name, strings.Join(names, ", "))
}

// nearest is the name that takes the fewest changes of a letter to get to;
// empty if even that is more than half of what was typed.
func nearest(typed string, names []string) string {
	best, least := "", len(typed)/2+1
	for _, n := range names {
		if d := distance(strings.ToLower(typed), n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the Levenshtein distance: the least number of letters to insert,
// delete or change that makes a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
