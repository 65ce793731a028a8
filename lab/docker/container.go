package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/portlab/portlab/lab"
)

// request is what testcontainers-go is asked for to start a planned container.
func (f *fleet) request(p plan, ready wait.Strategy) testcontainers.ContainerRequest {
	env := map[string]string{}
	for _, e := range p.env {
		env[e[0]] = e[1]
	}
	image := p.image
	if image == "" {
		image = f.image
	}
	req := testcontainers.ContainerRequest{
		Name: p.name, Image: image, Cmd: p.command, Env: env, WaitingFor: ready,
		Labels: f.labels(p),
		HostConfigModifier: func(h *container.HostConfig) {
			h.NetworkMode = container.NetworkMode(f.spec.Run.Object("net"))
			if p.join != "" {
				h.NetworkMode = container.NetworkMode(p.join)
			}
			h.PortBindings = bindings(p)
		},
	}
	if p.join == "" {
		// What is not named here testcontainers-go would publish on every address.
		req.ExposedPorts = []string{strconv.Itoa(int(p.port)) + "/" + p.transport}
		if len(p.publish) == 0 && p.image == "" {
			req.ExposedPorts = nil
		}
		net := f.spec.Run.Object("net")
		req.Networks = []string{net}
		req.EndpointSettingsModifier = func(at map[string]*network.EndpointSettings) {
			if s := at[net]; s != nil {
				s.IPAMConfig = &network.EndpointIPAMConfig{IPv4Address: p.address}
			}
		}
	}
	return req
}

// labels are what a planned container carries: its own, and the run's.
func (f *fleet) labels(p plan) map[string]string {
	all := labels(f.spec.Run, f.engine.home)
	for _, l := range p.labels {
		all[l[0]] = l[1]
	}
	return all
}

// bindings publishes a container at the front. An image of the user's own may
// declare ports, and testcontainers-go publishes each of those: a port that is
// not to be published goes to a random port of the loopback address, where
// nobody else can reach it.
func bindings(p plan) network.PortMap {
	port, ok := network.PortFrom(p.port, network.IPProtocol(p.transport))
	if !ok || p.join != "" {
		return nil
	}
	var at []network.PortBinding
	for _, a := range p.publish {
		at = append(at, network.PortBinding{HostIP: a.Addr(), HostPort: strconv.Itoa(int(a.Port()))})
	}
	if len(at) == 0 && p.image != "" {
		at = []network.PortBinding{{HostIP: loopback, HostPort: "0"}}
	}
	return network.PortMap{port: at}
}

// start starts a container and waits until it is ready. A container that does
// not get ready is removed, and the error holds the end of its log.
func (f *fleet) start(ctx context.Context, p plan, ready wait.Strategy) (testcontainers.Container, error) {
	return f.startWith(ctx, p, ready, func(*testcontainers.ContainerRequest) {})
}

// startWith is start with a last word on the request.
func (f *fleet) startWith(ctx context.Context, p plan, ready wait.Strategy, change func(*testcontainers.ContainerRequest)) (testcontainers.Container, error) {
	req := f.request(p, ready)
	change(&req)
	c, err := f.run(ctx, req)
	if err == nil {
		return c, nil
	}
	what := fmt.Sprintf("start the container %s", p.name)
	if c != nil && c.GetContainerID() != "" {
		if text := tail(context.WithoutCancel(ctx), c); text != "" {
			err = fmt.Errorf("%w\nits log ends:\n%s", err, text)
		}
		err = errors.Join(fmt.Errorf("%s: %w", what, err), f.remove(context.WithoutCancel(ctx), c, 0))
	} else {
		err = fmt.Errorf("%s: %w", what, err)
	}
	if portIsTaken(err) {
		return nil, &lab.RefusedError{What: "publish " + p.name, Err: err}
	}
	return nil, err
}

// run creates a container, starts it and waits until it is ready.
func (f *fleet) run(ctx context.Context, req testcontainers.ContainerRequest) (testcontainers.Container, error) {
	if req.WaitingFor != nil {
		req.WaitingFor = until{ctx, req.WaitingFor}
	}
	whole, cancel := uncut(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return f.engine.provider.RunContainer(whole, req)
}

// engineTimeout is how long the engine may take for one request.
const engineTimeout = 2 * time.Minute

// uncut is for requests that make something: cut off half-way, the engine
// might carry them out after everything was taken away.
func uncut(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), engineTimeout)
}

// portIsTaken recognises what engines say when a published port is in use:
// 20.10 and later have these two texts, for a port that another container
// holds and for one that a process holds.
func portIsTaken(err error) bool {
	return strings.Contains(err.Error(), "port is already allocated") ||
		strings.Contains(err.Error(), "address already in use")
}

// remove ends a container, after so long for it to drain, and removes it; no
// error if it is gone. Without a drain it is killed and removed in one request.
func (f *fleet) remove(ctx context.Context, c testcontainers.Container, drain time.Duration) error {
	if drain == 0 {
		return f.engine.removeContainer(ctx, c.GetContainerID())
	}
	err := c.Terminate(ctx, testcontainers.StopTimeout(drain))
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("remove the container %s: %w", c.GetContainerID()[:12], err)
}

// tailBytes is how much of a log's end is shown.
const tailBytes = 2000

func tail(ctx context.Context, c testcontainers.Container) string {
	r, err := c.Logs(ctx)
	if err != nil {
		return ""
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil && len(text) == 0 {
		return ""
	}
	if len(text) > tailBytes {
		text = text[len(text)-tailBytes:]
	}
	return strings.TrimSpace(string(text))
}

// pid is the process id of a container's first process, as the host sees it.
func pid(ctx context.Context, c testcontainers.Container) (int, error) {
	info, err := c.Inspect(ctx)
	if err != nil {
		return 0, fmt.Errorf("inspect a container: %w", err)
	}
	if info.State == nil || info.State.Pid == 0 {
		return 0, errors.New("the container is not running")
	}
	return info.State.Pid, nil
}

// at is where a planned container can be dialled.
func (p plan) at() netip.AddrPort { return netip.AddrPortFrom(p.address, p.port) }
