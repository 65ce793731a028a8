package strategies

import (
	"math/big"

	"github.com/portlab/portlab/lab"
)

func init() { register(dnatNaive{}) }

// dnatNaive is a trap that many recipes contain: each of n rules is given 1/n.
// But a rule is only asked about what those before it left over, so the shares
// shrink from rule to rule, and the last takes the large rest.
type dnatNaive struct{}

func (dnatNaive) Name() string { return "dnat-naive" }

func (dnatNaive) About() lab.About {
	return lab.About{
		Summary: "a trap: like dnat, but every rule has probability 1/n, which favours the last replica",
		Path:    natPath(),
		Caveats: natCaveats(),
		OverUDP: natOverUDP(),
		Sources: append(natSources(), "https://github.com/kubernetes/kubernetes/pull/83599 (a skew of the same kind, by rounding)"),
	}
}

// Warning says what is wrong with it.
func (dnatNaive) Warning() string {
	return "dnat-naive is wrong on purpose: with n replicas the last gets (1 - 1/n)^(n-1) of the connections, 38.7% of 10 where 10% was meant; use dnat"
}

func (dnatNaive) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Root: true, Null: lab.Random,
		Probes: []lab.Probe{iptables()}, NotFromIPv6: notFromLoopbackIPv6(),
	}
}

func (dnatNaive) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	same := make([]*big.Rat, len(to))
	for i := range same {
		same[i] = big.NewRat(1, int64(len(to)))
	}
	return expose(f, front, to, cascade(f, to, same))
}
