package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/lab/kernel"
)

// Traces finds what runs of this machine have made on the engine: containers,
// networks and images, services of Swarm and the swarm itself. Without an engine there is nothing to find.
func Traces(ctx context.Context) ([]lab.Trace, error) {
	e, err := connect(ctx, defaultBridge)
	if errors.Is(err, lab.ErrUnsupported) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := e.traces(ctx, make(client.Filters).Add("label", labelHome+"="+e.home))
	swarm, swarmErr := e.swarmTraces(ctx)
	return append(all, swarm...), errors.Join(err, swarmErr)
}

// Sweeper takes away what runs leave on this machine: on the engine and in the
// kernel's network namespace of this process.
func Sweeper() (guard.Sweeper, error) {
	own, err := kernel.Own()
	if err != nil {
		return guard.Sweeper{}, err
	}
	return guard.Sweeper{
		Find:    []lab.Finder{Traces, kernel.Traces(own)},
		Sysctls: kernel.NewHost(own, nil).Sysctls(),
	}, nil
}

func (e *engine) traces(ctx context.Context, which client.Filters) ([]lab.Trace, error) {
	containers, err := e.containers(ctx, which)
	if err != nil {
		return nil, err
	}
	networks, err := e.api.NetworkList(ctx, client.NetworkListOptions{Filters: which})
	if err != nil {
		return nil, fmt.Errorf("list the engine's networks: %w", err)
	}
	images, err := e.api.ImageList(ctx, client.ImageListOptions{Filters: which})
	if err != nil {
		return nil, fmt.Errorf("list the engine's images: %w", err)
	}
	all := containers
	for _, n := range networks.Items {
		all = append(all, lab.Trace{
			Run: lab.RunID(n.Labels[labelRun]), Kind: lab.NetworkTrace, Name: n.Name,
			Remove: func(ctx context.Context) error { return e.removeNetwork(ctx, n.ID) },
		})
	}
	for _, i := range images.Items {
		name := i.ID
		if len(i.RepoTags) > 0 {
			name = i.RepoTags[0]
		}
		all = append(all, lab.Trace{
			Run: lab.RunID(i.Labels[labelRun]), Kind: lab.ImageTrace, Name: name,
			Remove: func(ctx context.Context) error { return e.removeImage(ctx, name) },
		})
	}
	return all, nil
}

func (e *engine) containers(ctx context.Context, which client.Filters) ([]lab.Trace, error) {
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: which})
	if err != nil {
		return nil, fmt.Errorf("list the engine's containers: %w", err)
	}
	var all []lab.Trace
	for _, c := range list.Items {
		name := c.ID[:12]
		if len(c.Names) > 0 {
			name = c.Names[0][1:] // the engine puts a slash before it
		}
		all = append(all, lab.Trace{
			Run: lab.RunID(c.Labels[labelRun]), Kind: lab.ContainerTrace, Name: name,
			Remove: func(ctx context.Context) error { return e.removeContainer(ctx, c.ID) },
		})
	}
	return all, nil
}

// removeContainers removes all containers of a run.
func (e *engine) removeContainers(ctx context.Context, run lab.RunID) error {
	all, err := e.containers(ctx, make(client.Filters).Add("label", labelRun+"="+string(run)))
	if err != nil {
		return err
	}
	// Podman removes no container whose network namespace others share.
	var replicas, sandboxes []func(context.Context) error
	for _, t := range all {
		if t.Name == sandboxName(run) {
			sandboxes = append(sandboxes, t.Remove)
		} else {
			replicas = append(replicas, t.Remove)
		}
	}
	return errors.Join(together(ctx, replicas...), together(ctx, sandboxes...))
}

// removeContainer kills and removes a container; no error if it is gone or on
// its way.
func (e *engine) removeContainer(ctx context.Context, id string) error {
	_, err := e.api.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("remove the container %s: %w", id, err)
}
