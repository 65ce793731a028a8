package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
)

const mine, others = lab.RunID("aaaaaa"), lab.RunID("bbbbbb")

// fakeSwarm is an engine as far as Swarm goes. Any other call is a nil pointer.
type fakeSwarm struct {
	client.APIClient
	at       swarm.Info
	labels   map[string]string                      // of the swarm
	networks map[string]client.NetworkCreateOptions // by name
	init     client.SwarmInitOptions
}

func (s *fakeSwarm) Info(context.Context, client.InfoOptions) (r client.SystemInfoResult, _ error) {
	r.Info.Swarm = s.at
	return r, nil
}

func (s *fakeSwarm) SwarmInit(_ context.Context, o client.SwarmInitOptions) (client.SwarmInitResult, error) {
	if s.at.LocalNodeState != swarm.LocalNodeStateInactive {
		return client.SwarmInitResult{}, errors.New("this node is already part of a swarm")
	}
	s.init, s.labels = o, o.Spec.Labels
	s.at = swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true, NodeID: "made"}
	return client.SwarmInitResult{NodeID: "made"}, nil
}

func (s *fakeSwarm) SwarmInspect(context.Context, client.SwarmInspectOptions) (r client.SwarmInspectResult, _ error) {
	if !s.at.ControlAvailable {
		return r, errors.New("this node is not a swarm manager")
	}
	r.Swarm.Spec.Labels = s.labels
	return r, nil
}

func (s *fakeSwarm) SwarmLeave(_ context.Context, o client.SwarmLeaveOptions) (client.SwarmLeaveResult, error) {
	if !o.Force {
		return client.SwarmLeaveResult{}, errors.New("the last manager cannot leave but by force")
	}
	s.at, s.labels = swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}, nil
	return client.SwarmLeaveResult{}, nil
}

func (s *fakeSwarm) ServiceList(context.Context, client.ServiceListOptions) (client.ServiceListResult, error) {
	return client.ServiceListResult{}, nil
}

func (s *fakeSwarm) NetworkInspect(_ context.Context, name string, _ client.NetworkInspectOptions) (r client.NetworkInspectResult, _ error) {
	o, there := s.networks[name]
	if !there {
		return r, fmt.Errorf("network %s: %w", name, errdefs.ErrNotFound)
	}
	r.Network.Labels = o.Labels
	return r, nil
}

func (s *fakeSwarm) NetworkCreate(_ context.Context, name string, o client.NetworkCreateOptions) (client.NetworkCreateResult, error) {
	s.networks[name] = o
	return client.NetworkCreateResult{}, nil
}

func (s *fakeSwarm) NetworkRemove(_ context.Context, name string, _ client.NetworkRemoveOptions) (client.NetworkRemoveResult, error) {
	if s.at.LocalNodeState == swarm.LocalNodeStateActive {
		return client.NetworkRemoveResult{}, errors.New("the network has active endpoints")
	}
	delete(s.networks, name)
	return client.NetworkRemoveResult{}, nil
}

func swarmless() *fakeSwarm {
	return &fakeSwarm{at: swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive}, networks: map[string]client.NetworkCreateOptions{}}
}

func manager(labels map[string]string) *fakeSwarm {
	s := swarmless()
	s.at, s.labels = swarm.Info{LocalNodeState: swarm.LocalNodeStateActive, ControlAvailable: true, NodeID: "theirs"}, labels
	return s
}

// What a run makes of an engine in no swarm carries its id, listens on the
// loopback address alone, and goes with it.
func TestSwarmIsMadeForTheRunAndLeft(t *testing.T) {
	s := swarmless()
	e, l := &engine{api: s, home: "here"}, layoutOf(3)
	node, err := e.joinSwarm(t.Context(), mine, l)
	if err != nil || node != "made" {
		t.Fatalf("%q, %v", node, err)
	}
	if !maps.Equal(s.labels, labels(mine, "here")) || !maps.Equal(s.networks[gatewayBridge].Labels, labels(mine, "here")) {
		t.Errorf("the swarm has the labels %v, the gateway bridge %v", s.labels, s.networks[gatewayBridge].Labels)
	}
	for _, a := range []string{s.init.ListenAddr, s.init.AdvertiseAddr} {
		if !strings.HasPrefix(a, "127.0.0.1") {
			t.Errorf("other machines can reach the swarm at %s", a)
		}
	}
	pool, gateways := s.init.DefaultAddrPool[0], s.networks[gatewayBridge].IPAM.Config[0].Subnet
	if pool.Overlaps(gateways) || !l.subnet.Contains(pool.Addr()) || !l.subnet.Contains(gateways.Addr()) || pool.Bits() <= l.subnet.Bits() {
		t.Errorf("the ingress network gets %s and the gateway bridge %s of %s", pool, gateways, l.subnet)
	}
	for range 2 {
		if err := e.leaveSwarm(t.Context(), mine); err != nil {
			t.Error(err)
		}
	}
	if s.at.LocalNodeState != swarm.LocalNodeStateInactive || len(s.networks) != 0 {
		t.Errorf("left behind: a swarm that is %s, and %d networks", s.at.LocalNodeState, len(s.networks))
	}
}

// A swarm that is not the run's is used and stays, and so does a gateway bridge.
func TestSwarmOfOthersIsNeverLeft(t *testing.T) {
	for name, s := range map[string]*fakeSwarm{"a user's": manager(nil), "a user's with labels": manager(map[string]string{"team": "a"})} {
		s.networks[gatewayBridge] = client.NetworkCreateOptions{}
		e := &engine{api: s, home: "here"}
		if node, err := e.joinSwarm(t.Context(), mine, layoutOf(0)); err != nil || node != "theirs" {
			t.Errorf("%s: %q, %v", name, node, err)
		}
		if err := e.leaveSwarm(t.Context(), mine); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !s.at.ControlAvailable || len(s.networks) != 1 {
			t.Errorf("%s: it was left", name)
		}
	}
	s := manager(labels(others, "here"))
	if err := (&engine{api: s, home: "here"}).leaveSwarm(t.Context(), mine); err != nil || !s.at.ControlAvailable {
		t.Errorf("another run's swarm was left, %v", err)
	}
}

// A gateway bridge that an earlier swarm has left is used and not removed.
func TestGatewayBridgeOfOthersStays(t *testing.T) {
	s := swarmless()
	s.networks[gatewayBridge] = client.NetworkCreateOptions{}
	e := &engine{api: s, home: "here"}
	if _, err := e.joinSwarm(t.Context(), mine, layoutOf(0)); err != nil {
		t.Fatal(err)
	}
	if err := e.leaveSwarm(t.Context(), mine); err != nil || len(s.networks) != 1 {
		t.Errorf("%d networks, %v", len(s.networks), err)
	}
}

func TestEngineThatCannotMakeServices(t *testing.T) {
	worker, locked := manager(nil), swarmless()
	worker.at.ControlAvailable, locked.at.LocalNodeState = false, swarm.LocalNodeStateLocked
	for name, e := range map[string]*engine{
		"a worker": {api: worker}, "locked": {api: locked}, "another run's": {api: manager(labels(others, "here"))},
		"Podman": {api: swarmless(), podman: true},
	} {
		_, err := e.joinSwarm(t.Context(), mine, layoutOf(0))
		if no, is := errors.AsType[*lab.UnsupportedError](err); !is || no.Remedy == "" {
			t.Errorf("%s: %v, want an UnsupportedError with a remedy", name, err)
		}
	}
}

// A dead run's swarm is found by its label, and the swarm that a later run has
// made is not taken for it.
func TestSwarmIsATraceOfItsRun(t *testing.T) {
	s := manager(labels(mine, "here"))
	e := &engine{api: s, home: "here"}
	all, err := e.swarmTraces(t.Context())
	if err != nil || len(all) != 1 || all[0].Run != mine || all[0].Kind != lab.SwarmTrace {
		t.Fatalf("%+v, %v", all, err)
	}
	s.labels = labels(others, "here")
	if err := all[0].Remove(t.Context()); err != nil || !s.at.ControlAvailable {
		t.Errorf("another run's swarm was left, %v", err)
	}
	s.labels = labels(mine, "here")
	if err := all[0].Remove(t.Context()); err != nil || s.at.ControlAvailable {
		t.Errorf("the swarm is still there, %v", err)
	}
	if all, err := e.swarmTraces(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// The engine fills a template in for each task; text/template is what it uses.
func TestTaskHasItsReplicasName(t *testing.T) {
	x := template.Must(template.New("").Option("missingkey=error").Parse(instanceTemplate()))
	for i := range 30 {
		var data struct{ Task struct{ Slot string } }
		data.Task.Slot = fmt.Sprint(i + 1)
		var b strings.Builder
		if err := x.Execute(&b, data); err != nil || b.String() != lab.InstanceName(i) {
			t.Errorf("slot %d is %q, %v; want %q", i+1, b.String(), err, lab.InstanceName(i))
		}
	}
}

func TestServiceIsWhatItIsByHand(t *testing.T) {
	for publish, how := range map[lab.Publish]string{lab.PublishIngress: "ingress", lab.PublishTasks: "host"} {
		spec := lab.FleetSpec{Run: mine, Replicas: 3, Placement: lab.OwnNetns, Publish: publish, Protocol: lab.UDP}
		b := draft(spec, layoutOf(0), 8080, client.DefaultDockerHost)
		s := serviceOf(spec, b, "image")
		r := s.request(mine, "here", "node")
		port := r.EndpointSpec.Ports[0]
		if *r.Mode.Replicated.Replicas != 3 || port.PublishedPort != 8080 || port.TargetPort != 80 || port.Protocol != network.UDP || string(port.PublishMode) != how {
			t.Errorf("%s: %+v, %+v", publish, r.Mode.Replicated, port)
		}
		if !maps.Equal(r.Labels, labels(mine, "here")) || !maps.Equal(r.TaskTemplate.ContainerSpec.Labels, r.Labels) {
			t.Errorf("labels %v and %v", r.Labels, r.TaskTemplate.ContainerSpec.Labels)
		}
		if got := r.TaskTemplate.Placement.Constraints; !slices.Equal(got, []string{"node.id==node"}) {
			t.Errorf("a task may go where nobody counts: %v", got)
		}
		line := b.Shell[len(b.Shell)-1]
		for _, word := range append(r.TaskTemplate.ContainerSpec.Env, r.Name, "--replicas 3", "published=8080,target=80,protocol=udp,mode="+how) {
			if !strings.Contains(line, word) {
				t.Errorf("%q is not in %s", word, line)
			}
		}
		if !slices.Contains(b.Undo, "docker service rm "+r.Name) {
			t.Errorf("by hand nothing removes it: %q", b.Undo)
		}
	}
}

func task(slot int, state, meant swarm.TaskState, says string) swarm.Task {
	return swarm.Task{Slot: slot, DesiredState: meant, Status: swarm.TaskStatus{
		State: state, Err: says, ContainerStatus: &swarm.ContainerStatus{ContainerID: fmt.Sprint("container", slot)},
	}}
}

func TestServiceStandsWhenAllTasksRun(t *testing.T) {
	running := task(1, swarm.TaskStateRunning, swarm.TaskStateRunning, "")
	for name, x := range map[string]struct {
		second swarm.Task
		n, run int
		stands bool
	}{
		"both run":                {task(2, swarm.TaskStateRunning, swarm.TaskStateRunning, ""), 2, 2, true},
		"one starts":              {task(2, swarm.TaskStateStarting, swarm.TaskStateRunning, ""), 2, 1, false},
		"one is to end":           {task(2, swarm.TaskStateRunning, swarm.TaskStateShutdown, ""), 1, 1, false},
		"one has ended":           {task(2, swarm.TaskStateShutdown, swarm.TaskStateShutdown, ""), 1, 1, true},
		"one ended, none instead": {task(2, swarm.TaskStateFailed, swarm.TaskStateShutdown, ""), 2, 1, false},
		"one too many":            {task(2, swarm.TaskStateRunning, swarm.TaskStateRunning, ""), 1, 2, false},
	} {
		got, stands := standing([]swarm.Task{running, x.second}, x.n)
		if len(got) != x.run || stands != x.stands {
			t.Errorf("%s: %d run, it stands: %v", name, len(got), stands)
		}
	}
}

func TestTaskThatCannotStart(t *testing.T) {
	for name, x := range map[string]struct {
		task            swarm.Task
		failed, refused bool
	}{
		"starts":   {task(2, swarm.TaskStateStarting, swarm.TaskStateRunning, ""), false, false},
		"no node":  {task(2, swarm.TaskStatePending, swarm.TaskStateRunning, "no suitable node (host-mode port already in use on 1 node)"), true, true},
		"rejected": {task(2, swarm.TaskStateRejected, swarm.TaskStateShutdown, "No such image"), true, false},
		"ended":    {task(2, swarm.TaskStateFailed, swarm.TaskStateShutdown, "task: non-zero exit (1)"), true, false},
	} {
		err := failure([]swarm.Task{x.task})
		_, refused := errors.AsType[*lab.RefusedError](err)
		if (err != nil) != x.failed || refused != x.refused || err != nil && !strings.Contains(err.Error(), x.task.Status.Err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
