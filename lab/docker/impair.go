package docker

import (
	"context"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Impair implements [lab.Impairer]. On the machine it touches the run's own
// link alone.
func (f *fleet) Impair(ctx context.Context, to lab.Impairment) error {
	if f.client == nil {
		return noClient(lab.External)
	}
	run := f.spec.Run
	return kernel.Impair(ctx, to, kernel.End{In: f.client, Name: run.Link("c")}, kernel.End{In: f.own, Name: run.Link("h")})
}

// lanByHand are the ends of the external client's link, if there is to be one.
func lanByHand(spec lab.FleetSpec) []lab.LinkEnd {
	if !makesClient(spec) {
		return nil
	}
	return []lab.LinkEnd{
		{Name: spec.Run.Link("c"), Shell: "ip netns exec " + spec.Run.Object("client")},
		{Name: spec.Run.Link("h")},
	}
}
