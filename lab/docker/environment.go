package docker

import (
	"context"
	"fmt"
	"maps"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Environment says what a reader must know to make sense of figures: the
// machine, the engine, and what was unusual.
func (f *fleet) Environment(ctx context.Context) lab.Environment {
	e := kernel.Environment(ctx, f.own)
	e.Engine = f.engine.name()
	if e.Versions == nil {
		e.Versions = map[string]string{}
	}
	maps.Copy(e.Versions, f.sidecars.origins())
	if f.spec.Image != "" {
		e.Notes = append(e.Notes, fmt.Sprintf("The replicas run %s, a server of the user's own.", f.spec.Image))
	}
	if f.spec.Placement == lab.HostNetns && f.spec.Vantage == lab.Peer {
		e.Notes = append(e.Notes, "The replicas are in the host's network, so a peer stands where the host stands.")
	}
	if f.spec.Link.OnParent() {
		e.Notes = append(e.Notes, f.spec.Link.Note())
	}
	if !kernel.HasNetAdmin() {
		e.Notes = append(e.Notes, "Without CAP_NET_ADMIN there is no external client; the front is on the loopback address only.")
	}
	return e
}
