package claim_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// Under a hash of the client's address its connections are one draw, so that a
// single client proves nothing, and many do.
func TestHashOfTheAddressCountsAddresses(t *testing.T) {
	one := make([]int, 300) // all to foo
	for _, c := range []lab.Claim{shares, claim.EveryInstance{}} {
		v := judge(t, c, evidence(lab.HashAddress, equal(2), answers(one)))
		if v.Outcome != lab.Inconclusive || v.N != 1 {
			t.Errorf("%s: one client: %s of %d: %s", c.Name(), v.Outcome, v.N, v.Sentence)
		}
		if v := judge(t, c, evidence(lab.Hash, equal(2), answers(one))); v.Outcome != lab.Refuted {
			t.Errorf("%s: by a hash of ports too: %s: %s", c.Name(), v.Outcome, v.Sentence)
		}
		few := judge(t, c, evidence(lab.HashAddress, equal(2), fromMany(shuffled(1, 150, 150), 5)))
		if few.N != 5 || few.Outcome == lab.Inconclusive && !strings.Contains(few.Sentence, "client addresses (--clients) would tell") {
			t.Errorf("%s: five clients: %s of %d: %s", c.Name(), few.Outcome, few.N, few.Sentence)
		}
		if v := judge(t, c, evidence(lab.HashAddress, equal(2), fromMany(one, 100))); v.Outcome != lab.Refuted || v.N != 100 {
			t.Errorf("%s: a hundred clients: %s of %d: %s", c.Name(), v.Outcome, v.N, v.Sentence)
		}
	}
}

// fromMany are answers to so many clients in turn.
func fromMany(sequence []int, clients int) []lab.Sample {
	all := answers(sequence)
	for i := range all {
		own := netip.AddrFrom4([4]byte{198, 19, 1, byte(i % clients)})
		all[i].Local = netip.AddrPortFrom(own, all[i].Local.Port())
	}
	return all
}
