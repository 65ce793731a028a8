package strategies

import (
	"errors"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

// Weights are handed to the schedulers that heed them, and refused for those
// that do not.
func TestIPVSWeights(t *testing.T) {
	p := bare("aaaaaa")
	to := p.replicas(0, 2)
	to[0].Weight = 3
	for scheduler, heeds := range map[string]bool{lab.MethodTurn: false, schedWRR: true, schedLC: false, schedSH: true, schedMH: true} {
		steps, err := ipvs{scheduler}.Steps(p.facts, p.front, to)
		if usage := new(lab.UsageError); errors.As(err, &usage) == heeds {
			t.Errorf("%s: %v", scheduler, err)
			continue
		}
		if !heeds {
			continue
		}
		servers := steps[0].(step.VirtualServer).Servers
		if servers[0].Weight != 3 || servers[1].Weight != 1 {
			t.Errorf("%s: %+v, want weights 3 and 1", scheduler, servers)
		}
	}
}
