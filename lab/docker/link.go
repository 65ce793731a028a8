package docker

import (
	"context"
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// toReplicas is the name of the host's link to the replicas: the engine's bridge
// or, on a parent, the host's own link.
func toReplicas(spec lab.FleetSpec) string {
	if spec.Link.OnParent() {
		return spec.Run.Link("o")
	}
	return spec.Run.Link("b")
}

// driver is the engine's word for a network with such links.
func driver(spec lab.FleetSpec) string {
	if spec.Link.OnParent() {
		return string(spec.Link)
	}
	return defaultBridge
}

// linkOption tells the driver which link to use. That the mode is bridge on
// macvlan links and L2 on ipvlan links is what engines do if nothing is said.
func linkOption(spec lab.FleetSpec) (name, link string) {
	if spec.Link.OnParent() {
		return "parent", spec.Run.Link("p")
	}
	return "com.docker.network.bridge.name", toReplicas(spec)
}

// parentOf is what the links of a fleet are made on.
func parentOf(spec lab.FleetSpec, l layout, host *kernel.Namespace) kernel.Parent {
	return kernel.Parent{
		Kind: spec.Link, Name: spec.Run.Link("p"), Far: spec.Run.Link("q"),
		Own: kernel.End{In: host, Name: toReplicas(spec), Address: prefix(l.gateway, l.subnet)},
	}
}

// makeParent makes the parent, where the links are on one. The engine gives the
// host no link of its own.
func (f *fleet) makeParent(ctx context.Context) error {
	if !f.spec.Link.OnParent() {
		return nil
	}
	return kernel.CreateParent(ctx, f.spec.Run, parentOf(f.spec, f.layout, f.own))
}

// removeParent takes the parent away, and with it what is on it.
func (f *fleet) removeParent(ctx context.Context) error {
	if !f.spec.Link.OnParent() || f.own == nil {
		return nil
	}
	return kernel.DeleteLink(ctx, f.own, f.spec.Run.Link("p"))
}

// linksByHand is how to make the parent and the host's own link on it, and how
// to take them away.
func linksByHand(spec lab.FleetSpec, l layout) (shell, undo []string) {
	if !spec.Link.OnParent() {
		return nil, nil
	}
	p := parentOf(spec, l, nil)
	ip, sysctl := p.Shell()
	ip = append(ip, fmt.Sprintf("addr add %s dev %s", p.Own.Address, p.Own.Name), fmt.Sprintf("link set %s up", p.Own.Name))
	for _, words := range ip {
		shell = append(shell, "ip "+words)
	}
	for _, words := range sysctl {
		shell = append(shell, "sysctl "+words)
	}
	return shell, []string{"ip link del " + p.Name}
}

// checkLink returns an [lab.UnsupportedError] where this user cannot give the
// host a link of its own.
func checkLink(spec lab.FleetSpec) error {
	if !spec.Link.OnParent() || kernel.HasNetAdmin() {
		return nil
	}
	return &lab.UnsupportedError{
		What: string(spec.Link) + " links", Reason: "to give the host a link of its own needs CAP_NET_ADMIN, which this user does not have",
		Remedy: "run with sudo, use --runtime netns, or leave --link out",
	}
}
