package netns

import (
	"context"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Impair implements [lab.Impairer].
func (f *fleet) Impair(ctx context.Context, to lab.Impairment) error {
	return kernel.Impair(ctx, to, kernel.End{In: f.client, Name: inside}, kernel.End{In: f.hostNS, Name: lan})
}

// lanByHand are the ends of the external client's link.
func lanByHand(spec lab.FleetSpec) []lab.LinkEnd {
	h := &hand{spec: spec}
	return []lab.LinkEnd{{Name: inside, Shell: h.under(outside)}, {Name: lan, Shell: h.under(onHost)}}
}
