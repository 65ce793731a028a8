package labtest

import (
	"fmt"
	"slices"

	"github.com/portlab/portlab/lab"
)

// rules is the fake of [lab.Rules] for one family.
type rules struct {
	h      *Host
	family lab.Family
}

func (r *rules) NewChain(tableName, name string) error {
	return r.change("new chain "+name, tableName, func(t table) error {
		if t[name] != nil {
			return fmt.Errorf("chain already exists: %s", name)
		}
		// XT_EXTENSION_MAXNAMELEN of linux/netfilter/x_tables.h, less its final zero.
		if len(name) == 0 || len(name) > 28 {
			return fmt.Errorf("chain name `%s' must have 1 to 28 characters", name)
		}
		t[name] = &chain{}
		return nil
	})
}

func (r *rules) SetChain(tableName, name string, words [][]string) error {
	parsed, err := r.parse(tableName, name, words...)
	if err != nil {
		return err
	}
	return r.change("set chain "+name, tableName, func(t table) error {
		return t.edit(name, func([]rule) []rule { return parsed })
	})
}

func (r *rules) DeleteChain(tableName, name string) error {
	return r.change("delete chain "+name, tableName, func(t table) error {
		c := t[name]
		if c == nil {
			return nil
		}
		if c.policy != "" {
			return fmt.Errorf("%s is a built-in chain and cannot be deleted", name)
		}
		if from := t.referenced(name); from != "" {
			return fmt.Errorf("device or resource busy: %s jumps to %s", from, name)
		}
		delete(t, name)
		return nil
	})
}

func (r *rules) Insert(tableName, name string, words ...string) error {
	parsed, err := r.parse(tableName, name, words)
	if err != nil {
		return err
	}
	return r.change("insert into "+name, tableName, func(t table) error {
		return t.edit(name, func(old []rule) []rule { return append(parsed, old...) })
	})
}

// add puts a rule after all others: lab.Rules has no need of it, a line of
// shell has.
func (r *rules) add(tableName, name string, words ...string) error {
	parsed, err := r.parse(tableName, name, words)
	if err != nil {
		return err
	}
	return r.change("append to "+name, tableName, func(t table) error {
		return t.edit(name, func(old []rule) []rule { return append(old, parsed...) })
	})
}

func (r *rules) Delete(tableName, name string, words ...string) error {
	if _, err := r.parse(tableName, name, words); err != nil {
		return err
	}
	return r.change("delete from "+name, tableName, func(t table) error {
		if t[name] == nil {
			return nil
		}
		return t.edit(name, func(old []rule) []rule {
			at := slices.IndexFunc(old, func(o rule) bool { return slices.Equal(o.words, words) })
			if at < 0 {
				return old
			}
			return slices.Delete(old, at, at+1)
		})
	})
}

func (r *rules) HasChain(tableName, name string) (bool, error) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	return r.h.filters[r.family][tableName][name] != nil, nil
}

func (r *rules) change(what, tableName string, f func(table) error) error {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if err := r.h.mutate(what); err != nil {
		return err
	}
	return r.h.filters[r.family].change(tableName, f)
}

// parse fails the test on words outside of the grammar: a fake that lets them
// pass would show nothing.
func (r *rules) parse(tableName, chainName string, all ...[]string) ([]rule, error) {
	var parsed []rule
	for _, words := range all {
		one, err := parseRule(r.family, words)
		if err == nil {
			err = one.fits(chainName)
		}
		if err != nil {
			err = fmt.Errorf("rule %q of %s/%s: %w", words, tableName, chainName, err)
			r.h.t.Errorf("labtest: %v", err)
			return nil, err
		}
		parsed = append(parsed, one)
	}
	return parsed, nil
}
