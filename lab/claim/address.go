package claim

import (
	"fmt"

	"github.com/portlab/portlab/lab"
)

// AddressKept claims that the replicas see the client's own address. One
// answer that tells of another refutes it. Ports are not compared.
type AddressKept struct{}

// Name implements [lab.Claim].
func (AddressKept) Name() string { return "the client's address is kept" }

// Judge implements [lab.Claim].
func (c AddressKept) Judge(e lab.Evidence) lab.Verdict {
	n, lost, seen := 0, 0, ""
	for s := range e.Samples.All() {
		if !s.OK() || !s.ReplicaSaw.IsValid() || !s.Local.IsValid() {
			continue
		}
		n++
		if saw, own := s.ReplicaSaw.Addr().Unmap(), s.Local.Addr().Unmap(); saw != own {
			if lost++; lost == 1 {
				seen = fmt.Sprintf("%s saw %s instead of %s", s.Instance, saw, own)
			}
		}
	}
	v := newVerdict(c, n)
	if n == 0 {
		v.Sentence = "cannot tell: no answer says which client address its replica saw"
		return v
	}
	v.Test = "comparison of addresses"
	v.Effect, v.EffectName = number(float64(lost)/float64(n)), "share of answers with another address"
	if lost == 0 {
		v.Outcome = lab.Held
		v.Sentence = fmt.Sprintf("client address kept: in all of %s the replica saw the client's own", count(n, "answer"))
		return v
	}
	v.Outcome = lab.Refuted
	v.Sentence = fmt.Sprintf("client address lost in %s of %s: %s", thousands(lost), count(n, "answer"), seen)
	return v
}
