package kernel

import (
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// Place is a namespace with the addresses from which clients there may call.
// It implements [lab.SourcePlace].
type Place struct {
	*Namespace
	From []netip.Addr
}

// Sources implements [lab.SourcePlace].
func (p Place) Sources() []netip.Addr { return p.From }

// Consecutive are n addresses from the first one on.
func Consecutive(first netip.Addr, n int) []netip.Addr {
	all := make([]netip.Addr, n)
	for i := range all {
		all[i], first = first, first.Next()
	}
	return all
}

// CheckSources returns an [lab.UnsupportedError] for a number of source
// addresses that clients at a vantage cannot have, and nil without a vantage.
func CheckSources(v lab.Vantage, ip lab.Family, n int) error {
	var reason string
	switch {
	case n <= 1 || v == "" || v == lab.External || v == lab.Localhost && ip != lab.IPv6:
		return nil
	case v == lab.Localhost:
		reason = "::1 is the only loopback address of IPv6"
	case v == lab.OnHost:
		reason = "the host calls from its one address on the LAN"
	default:
		reason = "a replica calls from its one address"
	}
	return &lab.UnsupportedError{
		What: fmt.Sprintf("%d client addresses from vantage %s", n, v), Reason: reason,
		Remedy: "use --vantage external, or leave --clients out",
	}
}
