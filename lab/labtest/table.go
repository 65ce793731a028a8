package labtest

import (
	"fmt"
	"maps"
	"slices"
)

// tables are the tables of one family by name; table the chains of one by name.
type (
	tables map[string]table
	table  map[string]*chain
)

// chain is a list of rules. A built-in chain has a policy, one of the user's
// own has none. Chains in use are never changed: a change makes a new one.
type chain struct {
	policy string // ACCEPT or DROP; empty for a chain of the user's own
	rules  []rule
}

// builtin lists the chains that each table has from the start (iptables(8)).
var builtin = map[string][]string{
	"filter": {"INPUT", "FORWARD", "OUTPUT"},
	"nat":    {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"},
	"mangle": {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"},
	"raw":    {"PREROUTING", "OUTPUT"},
}

// targetHooks lists, for a target that is not for everywhere, the chains of
// the nat table from which it may be reached (iptables-extensions(8)).
var targetHooks = map[string][]string{
	"DNAT":       {"PREROUTING", "OUTPUT"},
	"MASQUERADE": {"POSTROUTING"},
}

func newTables() tables {
	ts := tables{}
	for name, chains := range builtin {
		ts[name] = table{}
		for _, c := range chains {
			ts[name][c] = &chain{policy: "ACCEPT"}
		}
	}
	return ts
}

// change applies f to a copy of a table and keeps the copy if the kernel would
// take it.
func (ts tables) change(name string, f func(table) error) error {
	old, ok := ts[name]
	if !ok {
		return fmt.Errorf("can't initialize table `%s': table does not exist", name)
	}
	next := maps.Clone(old)
	if err := f(next); err != nil {
		return err
	}
	if err := next.verify(name); err != nil {
		return err
	}
	ts[name] = next
	return nil
}

// edit gives a chain new rules.
func (t table) edit(name string, f func([]rule) []rule) error {
	c, ok := t[name]
	if !ok {
		return fmt.Errorf("no chain/target/match by that name: %s", name)
	}
	t[name] = &chain{policy: c.policy, rules: f(slices.Clone(c.rules))}
	return nil
}

// referenced says which chain jumps to name; empty if none does.
func (t table) referenced(name string) string {
	for from, c := range t {
		for _, r := range c.rules {
			if r.jump == name {
				return from
			}
		}
	}
	return ""
}

// verify refuses what the kernel refuses of a whole table: a jump to nowhere,
// a loop, a target or a match where it has no meaning.
func (t table) verify(name string) error {
	for from, c := range t {
		for _, r := range c.rules {
			if r.jump != "" && t[r.jump] == nil {
				return fmt.Errorf("chain '%s' does not exist (a rule of %s jumps there)", r.jump, from)
			}
		}
	}
	for _, hook := range builtin[name] {
		if err := t.walk(name, hook, hook, nil); err != nil {
			return err
		}
	}
	return nil
}

func (t table) walk(name, hook, at string, path []string) error {
	if slices.Contains(path, at) {
		return fmt.Errorf("too many levels of symbolic links: the chains loop at %s", at)
	}
	path = append(path, at)
	for _, r := range t[at].rules {
		if hooks, limited := targetHooks[r.target]; limited && (name != "nat" || !slices.Contains(hooks, hook)) {
			return fmt.Errorf("%s is only for %v of the nat table, not for %s/%s", r.target, hooks, name, hook)
		}
		if r.jump == "" {
			continue
		}
		if err := t.walk(name, hook, r.jump, path); err != nil {
			return err
		}
	}
	return nil
}
