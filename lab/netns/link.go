package netns

import (
	"context"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// own is the host's link to the replicas: its bridge or, on a parent, its own link.
func (l layout) own(k lab.LinkKind, host *kernel.Namespace) kernel.End {
	return kernel.End{In: host, Name: toReplicas(k), Address: within(l.subnet, l.gateway), Router: true}
}

// parent is what links that are on one are made on.
func (l layout) parent(k lab.LinkKind, host *kernel.Namespace) kernel.Parent {
	return kernel.Parent{Kind: k, Name: parent, Far: far, Own: l.own(k, host)}
}

func (f *fleet) makeLinkToReplicas(ctx context.Context) error {
	if f.spec.Link.OnParent() {
		return kernel.CreateParent(ctx, f.spec.Run, f.layout.parent(f.spec.Link, f.hostNS))
	}
	return kernel.CreateBridge(ctx, f.layout.own(f.spec.Link, f.hostNS))
}

// linkNamespace links a namespace to the host.
func (f *fleet) linkNamespace(ctx context.Context, p plan, ns *kernel.Namespace) error {
	if f.spec.Link.OnParent() {
		return kernel.CreateOnParent(ctx, f.layout.parent(f.spec.Link, f.hostNS), f.inner(p, ns))
	}
	return kernel.CreateVeth(ctx, f.spec.Run, f.port(p), f.inner(p, ns))
}

// awaitLink returns when the link between a namespace and the host works.
func (f *fleet) awaitLink(ctx context.Context, p plan) error {
	inner := f.inner(p, f.namespace(p.where))
	if f.spec.Link.OnParent() {
		return kernel.AwaitAddresses(ctx, inner)
	}
	return kernel.AwaitLinks(ctx, f.port(p), inner)
}

// unlink takes a namespace's link away at once; the kernel would take a while.
func (f *fleet) unlink(ctx context.Context, where string, ns *kernel.Namespace) error {
	if f.spec.Link.OnParent() {
		return kernel.DeleteLink(ctx, ns, inside)
	}
	return kernel.DeleteLink(ctx, f.hostNS, portOf(where))
}

// port is the host's end of the link to a namespace behind the bridge.
func (f *fleet) port(p plan) kernel.End {
	return kernel.End{In: f.hostNS, Name: portOf(p.where), Bridge: bridge}
}

// inner is the link to the host, in a namespace.
func (f *fleet) inner(p plan, ns *kernel.Namespace) kernel.End {
	l := f.layout
	return kernel.End{In: ns, Name: inside, Address: within(l.subnet, l.replica(p.index)), Gateway: l.gateway}
}

// portOf is the bridge's port that leads to a namespace.
func portOf(where string) string { return "v-" + where }
