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

// Variants lists every strategy and, after each, the same with one of its
// settings changed, for each value of each of its options.
func Variants() []lab.Strategy {
	var all []lab.Strategy
	for _, s := range All() {
		all = append(all, s)
		for _, o := range lab.OptionsOf(s) {
			for _, v := range o.Values[1:] {
				changed := lab.SettingsOf(s)
				changed[o.Name] = v
				all = append(all, s.(lab.Configurable).With(changed))
			}
		}
	}
	return all
}

// Find gives the strategy of that name, with the settings that follow it: see
// [lab.FullName]. Where there is none, or it has no such setting, it returns a
// [lab.UsageError] that suggests the nearest name.
func Find(text string) (lab.Strategy, error) {
	name, settings, err := lab.ParseFullName(text)
	if err != nil {
		return nil, err
	}
	if s, ok := registry[name]; ok {
		return lab.Configure(s, settings)
	}
	names := slices.Sorted(maps.Keys(registry))
	if near, found := lab.Nearest(name, names); found {
		return nil, lab.Usagef("unknown strategy %q: did you mean %s?", name, near)
	}
	return nil, lab.Usagef("unknown strategy %q: use one of %s", name, strings.Join(names, ", "))
}
