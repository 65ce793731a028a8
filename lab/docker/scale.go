package docker

import (
	"context"
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
	if f.service != "" {
		return f.addTasks(ctx, n)
	}
	f.mu.Lock()
	if f.started+n > maxReplicas {
		f.mu.Unlock()
		return nil, lab.Usagef("the docker runtime starts at most %d replicas in one run", maxReplicas)
	}
	first := f.started
	f.started += n
	b := f.blueprint
	f.mu.Unlock()
	var plans []plan
	grown := b
	grown.Replicas = nil
	for i := range first + n {
		grown.Replicas = append(grown.Replicas, replicaAt(f.spec, f.layout, b.Front, i))
		if i >= first {
			plans = append(plans, replicaPlan(f.spec, f.layout, grown, i))
		}
	}
	if err := f.startAll(ctx, plans); err != nil {
		return nil, err
	}
	added := grown.Replicas[first:]
	f.mu.Lock()
	defer f.mu.Unlock()
	f.blueprint.Replicas = append(slices.Clone(f.blueprint.Replicas), added...)
	return added, nil
}

// Remove drains and ends the named replicas, or as many tasks of a service.
func (f *fleet) Remove(ctx context.Context, instances ...string) error {
	if f.service != "" {
		return f.removeTasks(ctx, instances...)
	}
	var tasks []func(context.Context) error
	for _, name := range instances {
		c, err := f.find(name)
		if err != nil {
			return err
		}
		tasks = append(tasks, func(ctx context.Context) error { return f.remove(ctx, c, drainTimeout) })
	}
	if err := together(ctx, tasks...); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range instances {
		delete(f.containers, name)
	}
	f.blueprint.Replicas = slices.DeleteFunc(slices.Clone(f.blueprint.Replicas), func(r lab.Replica) bool {
		return slices.Contains(instances, r.Instance)
	})
	return nil
}

// Accepted counts the connections that each replica has accepted, in its
// network namespace. It returns an [lab.UnsupportedError] where replicas share
// one, since its counter is of all of them.
func (f *fleet) Accepted(ctx context.Context) (map[string]uint64, error) {
	if f.spec.Placement != lab.OwnNetns {
		return nil, &lab.UnsupportedError{
			What:   "counting connections from outside",
			Reason: "the replicas share one network namespace, and its counters are of all of them",
			Remedy: "choose a strategy whose replicas have namespaces of their own, or an image whose answers say who gave them",
		}
	}
	if !kernel.HasNetAdmin() {
		return nil, &lab.UnsupportedError{
			What: "counting connections from outside", Reason: "only root may enter the replicas' network namespaces",
			Remedy: "run with sudo",
		}
	}
	counts := map[string]uint64{}
	for _, r := range f.Blueprint().Replicas {
		n, err := f.accepted(ctx, r.Instance)
		if err != nil {
			return nil, fmt.Errorf("count the connections of %s: %w", r.Instance, err)
		}
		counts[r.Instance] = n
	}
	return counts, nil
}

func (f *fleet) accepted(ctx context.Context, instance string) (uint64, error) {
	c, err := f.find(instance)
	if err != nil {
		return 0, err
	}
	id, err := pid(ctx, c)
	if err != nil {
		return 0, err
	}
	ns, err := kernel.OfProcess(id)
	if err != nil {
		return 0, err
	}
	defer ns.Close()
	return kernel.PassiveOpens(ctx, ns)
}

// Logs is the end of each replica's log, by instance.
func (f *fleet) Logs(ctx context.Context) map[string]string {
	logs := map[string]string{}
	for _, r := range f.Blueprint().Replicas {
		if c, err := f.find(r.Instance); err == nil {
			logs[r.Instance] = tail(ctx, c)
		}
	}
	return logs
}
