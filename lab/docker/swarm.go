package docker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
)

// gatewayBridge is the network by which tasks reach their machine and it them.
// A swarm takes one of that name that is there already
// (https://docs.docker.com/engine/swarm/networking/).
const gatewayBridge = "docker_gwbridge"

// gatewayOptions are those that the engine itself gives it.
var gatewayOptions = map[string]string{
	"com.docker.network.bridge.name":                 gatewayBridge,
	"com.docker.network.bridge.enable_icc":           "false",
	"com.docker.network.bridge.enable_ip_masquerade": "true",
}

// swarmListen is where a swarm of the run's own is managed: no other machine
// can join it.
const swarmListen = "127.0.0.1:2377"

// A swarm of the run's own shares its slot's addresses between the ingress
// network and the gateway bridge: the first half and the second. The
// kernel looks at the ingress network inside a namespace of Swarm's only.
const halfBits = 23

func (l layout) ingress() netip.Prefix { return netip.PrefixFrom(l.subnet.Addr(), halfBits) }

func (l layout) gateways() netip.Prefix {
	return netip.PrefixFrom(offset(l.subnet.Addr(), 1<<(32-halfBits)), halfBits)
}

// maxTasks is how many tasks fit into either half, with room to spare.
const maxTasks = 500

// joinSwarm has the engine be part of a swarm, and gives the node's id there. One
// that is of somebody else's is used and never left; else a swarm is made that
// carries the run's id.
func (e *engine) joinSwarm(ctx context.Context, run lab.RunID, l layout) (node string, err error) {
	if e.podman {
		return "", &lab.UnsupportedError{
			What: "a service of Docker Swarm", Reason: "Podman has no Swarm", Remedy: "use Docker's own engine, or another strategy",
		}
	}
	info, err := e.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return "", fmt.Errorf("ask the engine whether it is in a swarm: %w", err)
	}
	switch at := info.Info.Swarm; {
	case at.LocalNodeState == swarm.LocalNodeStateInactive:
		return e.makeSwarm(ctx, run, l)
	case at.LocalNodeState != swarm.LocalNodeStateActive:
		return "", &lab.UnsupportedError{
			What: "a service of Docker Swarm", Reason: fmt.Sprintf("the engine's swarm is not usable: its state is %q %s", at.LocalNodeState, at.Error),
			Remedy: "see `docker info`; `docker swarm leave --force` gives it up",
		}
	case !at.ControlAvailable:
		return "", &lab.UnsupportedError{
			What: "a service of Docker Swarm", Reason: "the engine is a worker of a swarm, and services are made on managers",
			Remedy: "run portlab on a manager: `docker node ls` there lists them",
		}
	default:
		return at.NodeID, e.notAnothers(ctx, run)
	}
}

// notAnothers makes sure that the swarm will not go while the run needs it.
func (e *engine) notAnothers(ctx context.Context, run lab.RunID) error {
	labels, err := e.swarmLabels(ctx)
	if err != nil {
		return err
	}
	if of := labels[labelRun]; of != "" && of != string(run) {
		return &lab.UnsupportedError{
			What: "a service of Docker Swarm", Reason: "the engine's swarm is of the run " + of + ", and goes with it",
			Remedy: "wait until that run has ended; if it has, `portlab clean` takes the swarm away",
		}
	}
	return nil
}

func (e *engine) swarmLabels(ctx context.Context) (map[string]string, error) {
	x, err := e.api.SwarmInspect(ctx, client.SwarmInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("ask the engine about its swarm: %w", err)
	}
	return x.Swarm.Spec.Labels, nil
}

// makeSwarm makes a swarm of this engine alone, on addresses of the run.
func (e *engine) makeSwarm(ctx context.Context, run lab.RunID, l layout) (node string, err error) {
	ctx, cancel := uncut(ctx)
	defer cancel()
	if err := e.makeGatewayBridge(ctx, run, l); err != nil {
		return "", err
	}
	made, err := e.api.SwarmInit(ctx, client.SwarmInitOptions{
		ListenAddr: swarmListen, AdvertiseAddr: loopback.String(),
		DefaultAddrPool: []netip.Prefix{l.ingress()}, SubnetSize: halfBits,
		Spec: swarm.Spec{Annotations: swarm.Annotations{Labels: labels(run, e.home)}},
	})
	if err != nil {
		return "", fmt.Errorf("make the engine a swarm of one: %w", err)
	}
	return made.NodeID, nil
}

// makeGatewayBridge makes the network that a swarm would make on addresses of
// its own choice, and would leave behind. One that is there is left alone.
func (e *engine) makeGatewayBridge(ctx context.Context, run lab.RunID, l layout) error {
	_, err := e.api.NetworkInspect(ctx, gatewayBridge, client.NetworkInspectOptions{})
	if err == nil {
		return nil
	}
	if !errdefs.IsNotFound(err) {
		return fmt.Errorf("look for the network %s: %w", gatewayBridge, err)
	}
	subnet := l.gateways()
	_, err = e.api.NetworkCreate(ctx, gatewayBridge, client.NetworkCreateOptions{
		Driver: "bridge", Labels: labels(run, e.home), Options: gatewayOptions,
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet, Gateway: subnet.Addr().Next()}}},
	})
	if err != nil {
		return fmt.Errorf("make the network %s on %s: %w", gatewayBridge, subnet, err)
	}
	return nil
}

// leaveSwarm takes away the swarm of a run, and the gateway bridge if that is
// the run's as well. A swarm that does not carry the run's id is not left.
func (e *engine) leaveSwarm(ctx context.Context, run lab.RunID) error {
	all, err := e.swarmTraces(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range all {
		if t.Run == run && t.Kind == lab.SwarmTrace {
			errs = append(errs, t.Remove(ctx))
		}
	}
	return errors.Join(append(errs, e.removeGatewayBridge(ctx, run))...)
}

// removeGatewayBridge removes a run's gateway bridge once nothing is attached to
// it: the engine has left its swarm before it has taken the swarm's namespace
// apart.
func (e *engine) removeGatewayBridge(ctx context.Context, run lab.RunID) error {
	for {
		x, err := e.api.NetworkInspect(ctx, gatewayBridge, client.NetworkInspectOptions{})
		switch {
		case errdefs.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("look for the network %s: %w", gatewayBridge, err)
		case x.Network.Labels[labelRun] != string(run):
			return nil
		case len(x.Network.Containers) == 0:
			return e.removeNetwork(ctx, gatewayBridge)
		}
		if err := pause(ctx, pollService); err != nil {
			return fmt.Errorf("wait until nothing is attached to the network %s: %w", gatewayBridge, err)
		}
	}
}

// swarmTraces finds what runs have made of the engine's swarm: services, and
// the swarm itself. An engine that manages none has no such traces.
func (e *engine) swarmTraces(ctx context.Context) ([]lab.Trace, error) {
	info, err := e.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, fmt.Errorf("ask the engine whether it is in a swarm: %w", err)
	}
	if !info.Info.Swarm.ControlAvailable {
		return nil, nil
	}
	which := make(client.Filters).Add("label", labelHome+"="+e.home)
	services, err := e.api.ServiceList(ctx, client.ServiceListOptions{Filters: which})
	if err != nil {
		return nil, fmt.Errorf("list the swarm's services: %w", err)
	}
	var all []lab.Trace
	for _, s := range services.Items {
		run := lab.RunID(s.Spec.Labels[labelRun])
		all = append(all, lab.Trace{
			Run: run, Kind: lab.ServiceTrace, Name: s.Spec.Name,
			Remove: func(ctx context.Context) error { return e.removeService(ctx, run, s.ID) },
		})
	}
	labels, err := e.swarmLabels(ctx)
	if err == nil && labels[labelHome] == e.home {
		run := lab.RunID(labels[labelRun])
		all = append(all, lab.Trace{
			Run: run, Kind: lab.SwarmTrace, Name: run.Object("swarm"),
			Remove: func(ctx context.Context) error { return e.leave(ctx, run) },
		})
	}
	return all, err
}

// leave has the engine leave a run's swarm; no error if it has.
func (e *engine) leave(ctx context.Context, run lab.RunID) error {
	info, err := e.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("ask the engine whether it is in a swarm: %w", err)
	}
	if !info.Info.Swarm.ControlAvailable {
		return nil
	}
	labels, err := e.swarmLabels(ctx)
	if err != nil || labels[labelRun] != string(run) {
		return err
	}
	if _, err := e.api.SwarmLeave(ctx, client.SwarmLeaveOptions{Force: true}); err != nil {
		return fmt.Errorf("leave the swarm that the run made: %w", err)
	}
	return nil
}
