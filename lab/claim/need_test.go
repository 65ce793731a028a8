package claim_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// As many connections as an open verdict asks for settle it, where the balancer
// is as claimed, about as often as is promised.
func TestWhatIsNeededSettlesIt(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	random := func(n int) lab.Evidence {
		all := answers(byLaw(rng.Uint64(), n, evenly(3)...))
		for i := range all {
			all[i].Done = all[i].Due + time.Duration(100+rng.IntN(100))*time.Microsecond
		}
		return evidence(lab.Random, equal(3), all)
	}
	for _, x := range []struct {
		claim lab.Claim
		few   int
	}{{shares, 20}, {claim.Order{}, 7}, {claim.LatencyIndependent{}, 20}} {
		c, few := x.claim, x.few
		v := judge(t, c, random(few))
		if v.Outcome != lab.Inconclusive || v.NeedN <= few {
			t.Errorf("%s: %s of %d, %d needed: %s", c.Name(), v.Outcome, few, v.NeedN, v.Sentence)
			continue
		}
		settled := 0
		for range 50 {
			if c.Judge(random(v.NeedN)).Outcome == lab.Held {
				settled++
			}
		}
		if settled < 30 {
			t.Errorf("%s: %d connections settle it in %d of 50 runs", c.Name(), v.NeedN, settled)
		}
		t.Logf("%s: %d connections settle it in %d of 50 runs", c.Name(), v.NeedN, settled)
	}
}
