package claim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// On an emulated machine a claim about latency is not judged, and each of the
// others as anywhere.
func TestOnlyClaimsOnTimeAreNotJudgedOnAnEmulatedMachine(t *testing.T) {
	for _, c := range everyClaim(t) {
		e := evidence(lab.Random, equal(2), answers(shuffled(1, 158, 142)))
		hardware := judge(t, c, e)
		e.Emulated = true
		emulated := judge(t, c, e)
		if !strings.Contains(c.Name(), "latency") {
			if diff := cmp.Diff(hardware, emulated); diff != "" {
				t.Errorf("%s (-hardware +emulated):\n%s", c.Name(), diff)
			}
			continue
		}
		if hardware.Outcome == lab.Unsupported || emulated.Outcome != lab.Unsupported || emulated.PValue != nil {
			t.Errorf("%s: %s, and emulated %+v", c.Name(), hardware.Outcome, emulated)
		}
	}
}
