package docker

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// makesClient says whether a fleet has an external client of its own: not where
// there is one on another machine, nor without CAP_NET_ADMIN.
func makesClient(spec lab.FleetSpec) bool { return !spec.Client.IsValid() && kernel.HasNetAdmin() }

// makeClient makes the external client, if there is to be one: a namespace of
// its own, linked to the host by a veth pair.
func (f *fleet) makeClient(ctx context.Context) error {
	if !makesClient(f.spec) {
		return nil
	}
	ns, err := kernel.New()
	if err != nil {
		return err
	}
	f.client = ns
	l := f.layout
	host := kernel.End{In: f.own, Name: f.spec.Run.Link("h"), Address: prefix(l.host, l.lan)}
	peer := kernel.End{
		In: ns, Name: f.spec.Run.Link("c"), Address: prefix(l.client, l.lan), Gateway: l.host, More: f.sources(l.client)[1:],
	}
	if err := kernel.CreateVeth(ctx, f.spec.Run, host, peer); err != nil {
		return fmt.Errorf("link the external client to the host: %w", err)
	}
	f.linked = true
	return kernel.AwaitLinks(ctx, host, peer)
}

// closeClient takes the client away. Its link goes at once, so that nothing is
// seen of it when the run has ended; the kernel would take a while.
func (f *fleet) closeClient(ctx context.Context) error {
	if f.client == nil {
		return nil
	}
	defer f.client.Close()
	if !f.linked {
		return nil
	}
	return kernel.DeleteLink(ctx, f.own, f.spec.Run.Link("h"))
}

// sources are as many addresses, from the first one on, as clients were asked for.
func (f *fleet) sources(first netip.Addr) []netip.Addr {
	return kernel.Consecutive(first, max(1, f.spec.Clients))
}

// Place gives a place for a client.
func (f *fleet) Place(ctx context.Context, v lab.Vantage) (lab.Place, error) {
	switch v {
	case lab.External:
		switch {
		case f.spec.Client.IsValid():
			return nil, onAnother(f.spec.Client)
		case f.client == nil:
			return nil, noClient(v)
		}
		return kernel.Place{Namespace: f.client, From: f.sources(f.layout.client)}, nil
	case lab.Localhost:
		return kernel.Place{Namespace: f.own, From: f.sources(loopback)}, nil
	case lab.Peer:
		return f.peer(ctx)
	default:
		return f.own, nil
	}
}

// peer is the namespace of the first replica.
func (f *fleet) peer(ctx context.Context) (lab.Place, error) {
	if f.spec.Placement == lab.HostNetns {
		return f.own, nil
	}
	c, err := f.find(f.Blueprint().Replicas[0].Instance)
	if err != nil {
		return nil, err
	}
	id, err := pid(ctx, c)
	if err != nil {
		return nil, err
	}
	ns, err := kernel.OfProcess(id)
	if err != nil {
		return nil, fmt.Errorf("enter a replica's network namespace: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.claims.add(ns)
	return ns, nil
}
