package netns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// drainTimeout is how long a replica may take to finish what is under way.
const drainTimeout = 10 * time.Second

// Add starts n more replicas and returns when each is ready.
func (f *fleet) Add(ctx context.Context, n int) ([]lab.Replica, error) {
	f.mu.Lock()
	if len(f.replicas)+n > maxReplicas {
		f.mu.Unlock()
		return nil, lab.Usagef("the netns runtime has at most %d replicas, as many as a Linux bridge has ports", maxReplicas)
	}
	first := f.started
	f.started += n
	front := f.blueprint.Front
	f.mu.Unlock()
	var plans []plan
	var added []lab.Replica
	for i := first; i < first+n; i++ {
		plans = append(plans, planOf(f.spec, front, i))
		added = append(added, replicaAt(f.spec, front, i))
	}
	if err := f.startAll(ctx, plans); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blueprint.Replicas = append(slices.Clone(f.blueprint.Replicas), added...)
	return added, nil
}

// Remove drains and ends the named replicas.
func (f *fleet) Remove(ctx context.Context, instances ...string) error {
	for _, name := range instances {
		if _, err := f.find(name); err != nil {
			return err
		}
	}
	if err := together(ctx, instances, f.end); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blueprint.Replicas = slices.DeleteFunc(slices.Clone(f.blueprint.Replicas), func(r lab.Replica) bool {
		return slices.Contains(instances, r.Instance)
	})
	return nil
}

// end ends one replica, and takes away the namespace that it had to itself.
func (f *fleet) end(ctx context.Context, instance string) error {
	process, err := f.find(instance)
	if err != nil {
		return err
	}
	if err := process.StopWithin(ctx, drainTimeout); err != nil {
		return err
	}
	f.mu.Lock()
	ns := f.namespaces[instance]
	delete(f.replicas, instance)
	delete(f.namespaces, instance)
	f.mu.Unlock()
	if ns == nil {
		return nil
	}
	return errors.Join(f.unlink(ctx, instance, ns), ns.Close())
}

// find gives a replica's process.
func (f *fleet) find(instance string) (*kernel.Process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p, ok := f.replicas[instance]
	if !ok {
		return nil, fmt.Errorf("there is no replica %q", instance)
	}
	return p, nil
}

// Accepted counts the connections that each replica has accepted, in its
// network namespace. It returns an [lab.UnsupportedError] where replicas listen
// in one namespace, since its counter is of all of them.
func (f *fleet) Accepted(ctx context.Context) (map[string]uint64, error) {
	if f.spec.Placement != lab.OwnNetns || f.spec.Inherit != lab.InheritNone {
		return nil, &lab.UnsupportedError{
			What:   "counting connections from outside",
			Reason: "the replicas listen in one network namespace, and its counters are of all of them",
			Remedy: "choose a strategy whose replicas listen in namespaces of their own",
		}
	}
	counts := map[string]uint64{}
	for _, r := range f.Blueprint().Replicas {
		n, err := kernel.PassiveOpens(ctx, f.namespace(r.Instance))
		if err != nil {
			return nil, fmt.Errorf("count the connections of %s: %w", r.Instance, err)
		}
		counts[r.Instance] = n
	}
	return counts, nil
}

// Logs is the end of each replica's log, by instance.
func (f *fleet) Logs(context.Context) map[string]string {
	logs := map[string]string{}
	for _, r := range f.Blueprint().Replicas {
		if p, err := f.find(r.Instance); err == nil {
			logs[r.Instance] = p.Output()
		}
	}
	return logs
}
