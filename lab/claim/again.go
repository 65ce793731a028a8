package claim

import (
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// maxAgain is how many pairs of client and target that were used more than once
// are looked at: enough to tell a hash, in little memory.
const maxAgain = 10_000

// again is what became of connections whose pair of client and target address
// and port had been used before.
type again struct {
	times   int // such connections
	strayed int // that got another instance than the first of their pair
}

type tuple struct{ local, target netip.AddrPort }

// againOf reads the samples twice, so that only pairs that do come again are
// kept: most do not.
func againOf(samples lab.Samples) again {
	first := map[tuple]string{}
	seen := tuples{}
	for s := range connections(samples) {
		if s.Local.IsValid() && !seen.add(s.Local, s.Target) {
			if first[tuple{s.Local, s.Target}] = ""; len(first) == maxAgain {
				break
			}
		}
	}
	var a again
	if len(first) == 0 {
		return a
	}
	for s := range connections(samples) {
		at := tuple{s.Local, s.Target}
		instance, wanted := first[at]
		switch {
		case !wanted:
		case instance == "":
			first[at] = s.Instance
		default:
			a.times++
			if s.Instance != instance {
				a.strayed++
			}
		}
	}
	return a
}
