package docker

import (
	"cmp"
	"context"
	"net"
	"time"

	"github.com/portlab/portlab/lab"
)

// podmanComponent is what Podman calls itself in an answer to /version.
const podmanComponent = "Podman Engine"

// name is the engine's with its version.
func (e *engine) name() string {
	if e.podman {
		return podmanComponent + " " + e.version
	}
	return "Docker " + e.version
}

// unreached is why a client gets no answer of what Podman publishes, by where it
// stands, and what to do.
var unreached = map[lab.Vantage]struct{ reason, remedy string }{
	lab.External: {
		"what comes from there is dropped on its way to the container: Podman's own rules accept answers only, and Docker, or another firewall, has the policy of the chain FORWARD drop the rest",
		"choose --vantage host, a strategy with rules of its own such as dnat, or a machine on which no Docker engine runs (iptables -S FORWARD shows the policy)",
	},
	lab.Peer: {
		"what the front leads back to the container that called it is dropped by the bridge: Podman sets no hairpin mode, which it takes where net.bridge.bridge-nf-call-iptables is 1, as Docker sets it",
		"choose another vantage, or a strategy with rules of its own such as dnat",
	},
}

// publishPatience is how long a connection to what is published may take. Its
// replica is ready, and a packet is lost at most in a network's first second.
const publishPatience = 3 * time.Second

// checkPublished makes sure that what Podman publishes can be reached from the
// vantage. Nothing else would say why it cannot.
func (f *fleet) checkPublished(ctx context.Context) error {
	v := cmp.Or(f.spec.Vantage, lab.External)
	why, may := unreached[v]
	if f.spec.Client.IsValid() {
		return nil // from here it cannot be tried
	}
	if !f.engine.podman || !f.blueprint.Facts.Published || transport(f.spec) != "tcp" || !may {
		return nil
	}
	at, err := f.Place(ctx, v)
	if err != nil {
		return err
	}
	err = at.Do(ctx, func() error {
		c, err := (&net.Dialer{Timeout: publishPatience}).DialContext(ctx, "tcp", f.blueprint.Front.At(v).String())
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	return &lab.UnsupportedError{
		What: "a port that Podman publishes, from vantage " + string(v), Reason: why.reason + " (" + oneLine(err) + ")", Remedy: why.remedy,
	}
}
