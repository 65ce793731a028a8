package netns

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// sources are as many addresses, from the first one on, as clients were asked for.
func (f *fleet) sources(first netip.Addr) []netip.Addr {
	return kernel.Consecutive(first, max(1, f.spec.Clients))
}

// Place gives a place for a client.
func (f *fleet) Place(_ context.Context, v lab.Vantage) (lab.Place, error) {
	switch v {
	case lab.External:
		return kernel.Place{Namespace: f.client, From: f.sources(f.layout.client)}, nil
	case lab.Localhost:
		return kernel.Place{Namespace: f.hostNS, From: f.sources(f.layout.loopback)}, nil
	case lab.Peer:
		first := planOf(f.spec, f.blueprint.Front, 0)
		if alive := f.Blueprint().Replicas; f.spec.Placement == lab.OwnNetns {
			first.where = alive[0].Instance
		}
		return f.namespace(first.where), nil
	default:
		return f.hostNS, nil
	}
}

// Environment says what a reader must know to make sense of figures.
func (f *fleet) Environment(ctx context.Context) lab.Environment {
	e := kernel.Environment(ctx, f.hostNS)
	maps.Copy(e.Versions, f.sidecars.Origins())
	e.Notes = append(e.Notes, "The host, the client and the replicas are network namespaces of one kernel, and the replicas are processes: no container engine is in the path.")
	if f.spec.Placement == lab.HostNetns && f.spec.Vantage == lab.Peer {
		e.Notes = append(e.Notes, "The replicas are in the host's network, so a peer stands where the host stands.")
	}
	if f.spec.Link.OnParent() {
		e.Notes = append(e.Notes, f.spec.Link.Note())
	}
	if asUser() {
		e.Notes = append(e.Notes, "The run had no root: its namespaces belong to a user namespace.")
	}
	return e
}

// asUser says whether this process is in a user namespace that maps one user
// alone (user_namespaces(7), uid_map).
func asUser() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	return err == nil && len(fields) == 3 && fields[2] == "1"
}
