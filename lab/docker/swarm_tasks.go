package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/portlab/portlab/lab"
)

// standing are the tasks that run and are meant to, by their slots, and whether
// they are all that there is: so many, with none on its way up or down.
func standing(tasks []swarm.Task, n int) (running []swarm.Task, all bool) {
	all = true
	for _, t := range tasks {
		meant := t.DesiredState == swarm.TaskStateRunning
		runs := t.Status.State == swarm.TaskStateRunning && t.Status.ContainerStatus != nil
		switch {
		case meant && runs:
			running = append(running, t)
		case meant || runs:
			all = false
		}
	}
	return running, all && len(running) == n
}

// failure is why a task of a new service did not start, in the engine's words;
// nil while none has failed. That a node has no room for a second task at one
// port is a [lab.RefusedError].
func failure(tasks []swarm.Task) error {
	for _, t := range tasks {
		err := fmt.Errorf("task %d is %s: %s", t.Slot, t.Status.State, cmp.Or(t.Status.Err, t.Status.Message))
		switch {
		case strings.Contains(t.Status.Err, "host-mode port already in use"):
			return &lab.RefusedError{What: fmt.Sprintf("publish task %d on the node", t.Slot), Err: errors.New(t.Status.Err)}
		case t.Status.State == swarm.TaskStateFailed || t.Status.State == swarm.TaskStateRejected:
			return err
		}
	}
	return nil
}

// startService makes the service and waits until its tasks serve.
func (f *fleet) startService(ctx context.Context) error {
	s := serviceOf(f.spec, f.blueprint, cmp.Or(f.spec.Image, f.image))
	id, err := f.engine.createService(ctx, s.request(f.spec.Run, f.engine.home, f.node))
	if err != nil {
		return err
	}
	f.service = id
	return f.awaitTasks(ctx, s.replicas, failure)
}

// endService takes the service away before its containers, which Swarm would
// start again.
func (f *fleet) endService(ctx context.Context) error {
	if f.service == "" {
		return nil
	}
	return f.engine.removeService(ctx, f.spec.Run, f.service)
}

// serviceTimeout is how long tasks may take beside what a replica may take to
// be ready: Swarm waits some seconds before it replaces a task that has ended.
const serviceTimeout = 30 * time.Second

// awaitTasks waits until the service has so many tasks and no others, each of
// which serves, and takes them over as the fleet's replicas. What failed says of
// the tasks ends the wait.
func (f *fleet) awaitTasks(ctx context.Context, n int, failed func([]swarm.Task) error) error {
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout+f.readyTimeout())
	defer cancel()
	for {
		tasks, err := f.engine.tasks(ctx, f.service)
		if err != nil {
			return err
		}
		running, all := standing(tasks, n)
		if all {
			return f.adopt(ctx, running)
		}
		if err := failed(tasks); err != nil {
			return err
		}
		if err := pause(ctx, pollService); err != nil {
			return fmt.Errorf("%d of %d tasks of the service run: %w", len(running), n, err)
		}
	}
}

// adopt takes over running tasks as the replicas.
func (f *fleet) adopt(ctx context.Context, tasks []swarm.Task) error {
	f.mu.Lock()
	known := f.containers
	f.mu.Unlock()
	containers := make(map[string]testcontainers.Container, len(tasks))
	replicas := make([]lab.Replica, len(tasks))
	addresses, err := f.taskAddresses(ctx)
	if err != nil {
		return err
	}
	for i, t := range tasks {
		name, id := lab.InstanceName(t.Slot-1), t.Status.ContainerStatus.ContainerID
		c := known[name]
		if c == nil || c.GetContainerID() != id {
			if c, err = f.container(ctx, id); err != nil {
				return fmt.Errorf("task %d: %w", t.Slot, err)
			}
		}
		containers[name] = c
		replicas[i] = lab.Replica{
			Instance: name, Weight: 1, Address: netip.AddrPortFrom(addresses[id], listenPort(f.spec, f.blueprint.Front)),
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.containers, f.blueprint.Replicas = containers, replicas
	return nil
}

// container takes over a container that the engine itself has started, once
// the replica in it serves.
func (f *fleet) container(ctx context.Context, id string) (testcontainers.Container, error) {
	c, err := f.engine.provider.ContainerFromType(ctx, container.Summary{ID: id, State: container.StateRunning})
	if err != nil {
		return nil, fmt.Errorf("take over its container: %w", err)
	}
	if f.spec.Image != "" {
		return c, nil // nothing is known of it; the front is probed before anything is counted
	}
	ready := wait.ForLog("listening").WithPollInterval(pollInterval).WithStartupTimeout(f.readyTimeout())
	return c, until{ctx, ready}.WaitUntilReady(ctx, c)
}

// taskAddresses are those at which the machine reaches containers of tasks, by
// their ids.
func (f *fleet) taskAddresses(ctx context.Context) (map[string]netip.Addr, error) {
	name := gatewayBridge
	if f.spec.Publish == lab.PublishTasks {
		name = defaultBridge // a task that is in no other network
	}
	x, err := f.engine.api.NetworkInspect(ctx, name, client.NetworkInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("look for the tasks' addresses in the network %s: %w", name, err)
	}
	all := map[string]netip.Addr{}
	for id, at := range x.Network.Containers {
		all[id] = at.IPv4Address.Addr()
	}
	return all, nil
}

// scaleTasks changes how many tasks there are, and gives the replicas before.
func (f *fleet) scaleTasks(ctx context.Context, by int) (before []lab.Replica, err error) {
	before = f.Blueprint().Replicas
	n := len(before) + by
	if n > maxTasks {
		return nil, tooManyTasks(n)
	}
	if err := f.engine.scaleService(ctx, f.service, n); err != nil {
		return nil, err
	}
	return before, f.awaitTasks(ctx, n, func([]swarm.Task) error { return nil })
}

// addTasks has Swarm start n more.
func (f *fleet) addTasks(ctx context.Context, n int) ([]lab.Replica, error) {
	before, err := f.scaleTasks(ctx, n)
	return without(f.Blueprint().Replicas, before), err
}

// removeTasks has Swarm end as many as are named. Which ones it ends is its own
// choice: nobody can tell it.
func (f *fleet) removeTasks(ctx context.Context, instances ...string) error {
	for _, name := range instances {
		if _, err := f.find(name); err != nil {
			return err
		}
	}
	before, err := f.scaleTasks(ctx, -len(instances))
	if err != nil {
		return err
	}
	var ended []string
	for _, r := range without(before, f.Blueprint().Replicas) {
		ended = append(ended, r.Instance)
	}
	slices.Sort(ended)
	if asked := slices.Sorted(slices.Values(instances)); !slices.Equal(ended, asked) {
		f.notice(fmt.Sprintf("Swarm chooses itself which tasks end: it ended %s, and not %s", strings.Join(ended, ", "), strings.Join(asked, ", ")))
	}
	return nil
}

// without gives the replicas that are not among others.
func without(all, others []lab.Replica) []lab.Replica {
	return slices.DeleteFunc(slices.Clone(all), func(r lab.Replica) bool {
		return slices.ContainsFunc(others, func(o lab.Replica) bool { return o.Instance == r.Instance })
	})
}

func tooManyTasks(n int) error {
	return lab.Usagef("the docker runtime starts at most %d tasks of a service, not %d", maxTasks, n)
}
