package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// meter knows the first process of each container, so that the engine is asked
// once for each and is not itself busy while a load is counted.
type meter struct {
	mu     sync.Mutex
	first  map[string]int             // by the container's id
	killed map[string]lab.Consumption // what replicas had used by then, by instance
}

func newMeter() *meter { return &meter{first: map[string]int{}, killed: map[string]lab.Consumption{}} }

func (m *meter) pid(ctx context.Context, c testcontainers.Container) (int, error) {
	m.mu.Lock()
	known := m.first[c.GetContainerID()]
	m.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	found, err := pid(ctx, c)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	m.first[c.GetContainerID()] = found
	m.mu.Unlock()
	return found, nil
}

// Usage implements [lab.Metered]. The engine's own docker-proxy processes belong
// to the engine, and are in the machine's time alone. A replica that was killed
// has used what it had by then; one that was removed is forgotten.
func (f *fleet) Usage(ctx context.Context) (lab.Usage, error) {
	running := map[string]testcontainers.Container{}
	var gone lab.Consumption
	f.mu.Lock()
	f.meter.mu.Lock()
	for instance, c := range f.containers {
		if last, killed := f.meter.killed[instance]; killed {
			gone.CPU += last.CPU
		} else {
			running[instance] = c
		}
	}
	f.meter.mu.Unlock()
	f.mu.Unlock()
	replicas, err := f.meter.pids(ctx, running)
	if err != nil {
		return lab.Usage{}, err
	}
	f.sidecars.mu.Lock()
	proxies := maps.Clone(f.sidecars.running)
	f.sidecars.mu.Unlock()
	sidecars, err := f.meter.pids(ctx, proxies)
	if err != nil {
		return lab.Usage{}, err
	}
	u, err := kernel.UsageOf(replicas, slices.Concat(sidecars, f.sidecars.onHost.PIDs()))
	u.Replicas.CPU += gone.CPU
	return u, err
}

// pids are the first processes of containers.
func (m *meter) pids(ctx context.Context, of map[string]testcontainers.Container) ([]int, error) {
	var (
		mu    sync.Mutex
		all   []int
		tasks []func(context.Context) error
	)
	for name, c := range of {
		tasks = append(tasks, func(ctx context.Context) error {
			found, err := m.pid(ctx, c)
			if err != nil {
				return fmt.Errorf("find the process of %s: %w", name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, found)
			return nil
		})
	}
	err := together(ctx, tasks...)
	return all, err
}

// Kill implements [lab.Killer], as docker kill does. The replica stays in the
// blueprint: nobody has been told that it is gone. The engine takes its
// interface away with it, so that what connects to it goes unanswered, where a
// process that dies alone has the kernel refuse.
func (f *fleet) Kill(ctx context.Context, instance string) error {
	c, err := f.find(instance)
	if err != nil {
		return err
	}
	f.meter.mu.Lock()
	_, twice := f.meter.killed[instance]
	f.meter.mu.Unlock()
	if twice {
		return nil
	}
	first, err := f.meter.pid(ctx, c)
	if err != nil {
		return err
	}
	last, err := kernel.UsageOf([]int{first}, nil)
	if err != nil {
		return err
	}
	if _, err := f.engine.api.ContainerKill(ctx, c.GetContainerID(), client.ContainerKillOptions{Signal: "SIGKILL"}); err != nil {
		return fmt.Errorf("kill %s: %w", instance, err)
	}
	f.meter.mu.Lock()
	f.meter.killed[instance] = last.Replicas
	f.meter.mu.Unlock()
	return nil
}
