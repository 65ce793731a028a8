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
	if near, found := lab.Nearest(name, names); found {
		return nil, lab.Usagef("unknown strategy %q: did you mean %s?", name, near)
	}
	return nil, lab.Usagef("unknown strategy %q: use one of %s", name, strings.Join(names, ", "))
}
