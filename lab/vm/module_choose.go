package vm

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
)

// choose finds the modules whose names match the patterns (path.Match), and
// what they need, in an order in which they can be loaded: first those for the
// start, then the spare ones. A pattern without an asterisk that no module has,
// in a file or built in, is among lacks.
func (t *moduleTree) choose(ctx context.Context, boot, spare []string) (chosen []kernelModule, lacks []string, err error) {
	c := chooser{tree: t, ctx: ctx, seen: map[string]bool{}}
	lacks = []string{}
	for i, p := range slices.Concat(boot, spare) {
		c.boot = i < len(boot)
		names := t.matching(p)
		if len(names) == 0 && !t.builtin[p] && !strings.Contains(p, "*") {
			lacks = append(lacks, p)
		}
		for _, n := range names {
			if err := c.add(n); err != nil {
				return nil, nil, err
			}
		}
	}
	return c.chosen, lacks, nil
}

func (t *moduleTree) matching(pattern string) []string {
	var names []string
	for n := range t.files {
		if ok, err := path.Match(pattern, n); ok && err == nil {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// chooser puts each module after those that it needs.
type chooser struct {
	tree   *moduleTree
	ctx    context.Context
	seen   map[string]bool
	boot   bool // what is added is for the start
	chosen []kernelModule
}

func (c *chooser) add(name string) error {
	if c.seen[name] || c.tree.builtin[name] {
		return nil
	}
	c.seen[name] = true
	m, err := c.tree.read(c.ctx, name)
	if err != nil {
		return err
	}
	for _, n := range m.needs {
		if c.tree.files[n] == "" && !c.tree.builtin[n] {
			return fmt.Errorf("module %s needs %s, which %s does not hold", name, n, c.tree.dir)
		}
		if err := c.add(n); err != nil {
			return err
		}
	}
	for _, n := range m.wants {
		if n = c.tree.provider(n); n != "" {
			if err := c.add(n); err != nil {
				return err
			}
		}
	}
	m.boot = c.boot
	c.chosen = append(c.chosen, m)
	return nil
}

// provider is the module of that name or, for an algorithm of the kernel's
// crypto API such as crc32c, its implementation for every processor.
func (t *moduleTree) provider(name string) string {
	for _, n := range []string{name, name + "_generic"} {
		if t.files[n] != "" {
			return n
		}
	}
	return ""
}
