package docker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
)

// serviceName is the service whose tasks the replicas are.
func serviceName(run lab.RunID) string { return run.Object("service") }

// publishModes are Swarm's own words for the ways to publish.
var publishModes = map[lab.Publish]swarm.PortConfigPublishMode{
	lab.PublishIngress: swarm.PortConfigPublishModeIngress, lab.PublishTasks: swarm.PortConfigPublishModeHost,
}

// instanceTemplate is the name of the replica in a task's slot. Slots are
// counted from 1. The engine fills it in for each task
// (https://docs.docker.com/reference/cli/docker/service/create/#create-services-using-templates).
func instanceTemplate() string {
	var b strings.Builder
	for i := 0; ; i++ {
		slot, name := strconv.Itoa(i+1), lab.InstanceName(i)
		if name == "r"+slot {
			b.WriteString("{{else}}r{{.Task.Slot}}{{end}}")
			return b.String()
		}
		if i > 0 {
			b.WriteString("{{else ")
		} else {
			b.WriteString("{{")
		}
		b.WriteString(`if eq .Task.Slot "` + slot + `"}}` + name)
	}
}

// service is a Swarm service as it is to be: the one description from which
// both the engine's request and the command by hand are made.
type service struct {
	name     string
	image    string
	command  []string
	env      [][2]string
	replicas int
	port     swarm.PortConfig
}

func serviceOf(spec lab.FleetSpec, b lab.Blueprint, image string) service {
	s := service{
		name: serviceName(spec.Run), image: image, replicas: len(b.Replicas),
		port: swarm.PortConfig{
			Protocol: network.IPProtocol(transport(spec)), PublishMode: publishModes[spec.Publish],
			TargetPort: uint32(listenPort(spec, b.Front)), PublishedPort: uint32(b.Front.Port),
		},
	}
	s.env = [][2]string{
		{"INSTANCE", instanceTemplate()}, {"HOST", "0.0.0.0"}, {"PORT", strconv.Itoa(int(s.port.TargetPort))}, {"PROTOCOL", spec.Protocol.Server()},
	}
	if spec.Image == "" {
		s.command = []string{"serve"}
	}
	return s
}

// request is what the engine is asked for. The tasks stay on one node, which
// alone has the image, and which is the host.
func (s service) request(run lab.RunID, home, node string) swarm.ServiceSpec {
	var env []string
	for _, e := range s.env {
		env = append(env, e[0]+"="+e[1])
	}
	replicas, drain := uint64(s.replicas), drainTimeout
	return swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: s.name, Labels: labels(run, home)},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{
				Image: s.image, Args: s.command, Env: env, Labels: labels(run, home), StopGracePeriod: &drain,
			},
			Placement: &swarm.Placement{Constraints: []string{"node.id==" + node}},
		},
		Mode:         swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		EndpointSpec: &swarm.EndpointSpec{Mode: swarm.ResolutionModeVIP, Ports: []swarm.PortConfig{s.port}},
	}
}

// shell is the service by hand.
func (s service) shell() string {
	published := fmt.Sprintf("published=%d,target=%d,protocol=%s,mode=%s", s.port.PublishedPort, s.port.TargetPort, s.port.Protocol, s.port.PublishMode)
	words := []string{
		"docker", "service", "create", "--no-resolve-image", "--name", s.name, "--replicas", strconv.Itoa(s.replicas), "--publish", published,
	}
	for _, e := range s.env {
		words = append(words, "-e", e[0]+"="+e[1])
	}
	return lab.ShellLine(append(append(words, s.image), s.command...)...)
}

// swarmByHand is how to make the swarm with docker, and how to take it away.
func swarmByHand(l layout) (shell, undo []string) {
	gateways := l.gateways()
	return []string{
			"# Unless the engine is in a swarm already:",
			fmt.Sprintf("docker network create --subnet %s --gateway %s -o com.docker.network.bridge.name=%[3]s"+
				" -o com.docker.network.bridge.enable_icc=false -o com.docker.network.bridge.enable_ip_masquerade=true %[3]s",
				gateways, gateways.Addr().Next(), gatewayBridge),
			fmt.Sprintf("docker swarm init --listen-addr %s --advertise-addr %s --default-addr-pool %s --default-addr-pool-mask-length %d",
				swarmListen, loopback, l.ingress(), halfBits),
		}, []string{
			"# Unless the engine was in a swarm before:",
			"docker swarm leave --force",
			"docker network rm " + gatewayBridge,
		}
}

// createService makes the service. Its image is on this machine: no registry is
// asked to resolve it.
func (e *engine) createService(ctx context.Context, spec swarm.ServiceSpec) (id string, err error) {
	ctx, cancel := uncut(ctx)
	defer cancel()
	made, err := e.api.ServiceCreate(ctx, client.ServiceCreateOptions{Spec: spec})
	if err != nil {
		return "", fmt.Errorf("make the service %s: %w", spec.Name, err)
	}
	return made.ID, nil
}

// scaleService changes how many tasks a service has.
func (e *engine) scaleService(ctx context.Context, id string, n int) error {
	ctx, cancel := uncut(ctx)
	defer cancel()
	x, err := e.api.ServiceInspect(ctx, id, client.ServiceInspectOptions{})
	if err != nil {
		return fmt.Errorf("inspect the service %s: %w", id, err)
	}
	spec, replicas := x.Service.Spec, uint64(n)
	spec.Mode = swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}}
	_, err = e.api.ServiceUpdate(ctx, id, client.ServiceUpdateOptions{Version: x.Service.Version, Spec: spec})
	if err != nil {
		return fmt.Errorf("scale the service %s to %d tasks: %w", spec.Name, n, err)
	}
	return nil
}

// removeService removes a service and kills what is left of its tasks, which
// Swarm would drain first; no error if it is gone already.
func (e *engine) removeService(ctx context.Context, run lab.RunID, id string) error {
	_, err := e.api.ServiceRemove(ctx, id, client.ServiceRemoveOptions{})
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove the service %s: %w", id, err)
	}
	err = errors.Join(e.removeContainers(ctx, run), e.awaitNoStart(ctx, id))
	return errors.Join(err, e.removeContainers(ctx, run)) // of tasks that were on their way up
}

// awaitNoStart waits until no task of a removed service can still get a
// container. Swarm takes its time to forget tasks; that is not waited for.
func (e *engine) awaitNoStart(ctx context.Context, id string) error {
	for {
		tasks, err := e.tasks(ctx, id)
		if err == nil && !slices.ContainsFunc(tasks, starting) {
			return nil
		}
		if e := pause(ctx, pollService); e != nil {
			return fmt.Errorf("wait for the end of the tasks of the service %s: %w", id, errors.Join(err, e))
		}
	}
}

// starting says whether a task has no container yet but may get one: the
// states before running
// (https://docs.docker.com/engine/swarm/how-swarm-mode-works/swarm-task-states/).
func starting(t swarm.Task) bool {
	return slices.Contains([]swarm.TaskState{
		swarm.TaskStateAssigned, swarm.TaskStateAccepted, swarm.TaskStatePreparing, swarm.TaskStateReady, swarm.TaskStateStarting,
	}, t.Status.State)
}

// tasks lists those of a service, in the order of their slots.
func (e *engine) tasks(ctx context.Context, id string) ([]swarm.Task, error) {
	all, err := e.api.TaskList(ctx, client.TaskListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the swarm's tasks: %w", err)
	}
	of := slices.DeleteFunc(all.Items, func(t swarm.Task) bool { return t.ServiceID != id })
	slices.SortFunc(of, func(a, b swarm.Task) int { return a.Slot - b.Slot })
	return of, nil
}

// pollService is how often a service is looked at. Swarm acts in steps of
// about 100 ms, and each look costs the engine a reading of all its tasks.
const pollService = 200 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
