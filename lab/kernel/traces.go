package kernel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"

	"github.com/portlab/portlab/lab"
)

// Traces finds what runs left in a namespace and among the processes and files
// of this home: processes, chains, rules that lead to them, tables of
// nftables, links and folders of sidecars. Where there is no packet filter
// there are no rules to find.
func Traces(ns *Namespace) lab.Finder {
	finders := []lab.Finder{
		processTraces,
		func(context.Context) ([]lab.Trace, error) { return ruleTraces(ns, lab.IPv4) },
		func(context.Context) ([]lab.Trace, error) { return ruleTraces(ns, lab.IPv6) },
		func(context.Context) ([]lab.Trace, error) { return tableTraces(ns) },
		func(ctx context.Context) ([]lab.Trace, error) { return linkTraces(ctx, ns) },
		folderTraces,
	}
	return func(ctx context.Context) ([]lab.Trace, error) {
		found := make([][]lab.Trace, len(finders))
		errs := make([]error, len(finders))
		var wg sync.WaitGroup
		for i, find := range finders {
			wg.Go(func() { found[i], errs[i] = find(ctx) })
		}
		wg.Wait()
		var all []lab.Trace
		for _, f := range found {
			all = append(all, f...)
		}
		return all, errors.Join(errs...)
	}
}

func ruleTraces(ns *Namespace, ip lab.Family) ([]lab.Trace, error) {
	r, err := openSweeper(ns, ip)
	if r == nil {
		return nil, err
	}
	text, err := r.save()
	if err != nil {
		return nil, err
	}
	var all []lab.Trace
	chains, rules := parseSave(text)
	for _, c := range chains {
		if id, ok := runOfChain(c.chain); ok {
			all = append(all, lab.Trace{
				Run: id, Kind: lab.ChainTrace, Name: r.name + " " + c.table + "/" + c.chain,
				Remove: func(context.Context) error { return r.DeleteChain(c.table, c.chain) },
			})
		}
	}
	for _, rule := range rules {
		id, ok := rule.run()
		if _, inOwnChain := runOfChain(rule.chain); !ok || inOwnChain {
			continue // the chain's rules go with the chain
		}
		all = append(all, lab.Trace{
			Run: id, Kind: lab.RuleTrace,
			Name:   r.name + " " + rule.table + "/" + rule.chain + ": " + strings.Join(rule.words, " "),
			Remove: func(context.Context) error { return r.Delete(rule.table, rule.chain, rule.words...) },
		})
	}
	return all, nil
}

// openSweeper is openRules, or nil where there can be no rules to find.
func openSweeper(ns *Namespace, ip lab.Family) (*rules, error) {
	r, err := openRules(ns, ip)
	if errors.Is(err, lab.ErrUnsupported) && HasNetAdmin() {
		return nil, nil
	}
	return r, err
}

func linkTraces(ctx context.Context, ns *Namespace) ([]lab.Trace, error) {
	var all []lab.Trace
	err := ns.Do(ctx, func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return privileged("list the links", err)
		}
		for _, l := range links {
			// The alias tells a run's link from another's that happens to be called like one.
			id, ok := runOfComment(l.Attrs().Alias)
			name := l.Attrs().Name
			if ok && strings.HasPrefix(name, id.Link("")) {
				all = append(all, lab.Trace{
					Run: id, Kind: lab.LinkTrace, Name: name,
					Remove: func(ctx context.Context) error { return DeleteLink(ctx, ns, name) },
				})
			}
		}
		return nil
	})
	return all, err
}

func folderTraces(context.Context) ([]lab.Trace, error) {
	root, err := lab.RuntimeDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var all []lab.Trace
	for _, e := range entries {
		id, err := lab.ParseRunID(e.Name())
		if err != nil || !e.IsDir() {
			continue
		}
		dir := filepath.Join(root, e.Name())
		all = append(all, lab.Trace{
			Run: id, Kind: lab.FileTrace, Name: dir,
			Remove: func(context.Context) error {
				return errors.Join(os.RemoveAll(dir), lab.PruneRuntimeDir())
			},
		})
	}
	return all, nil
}
