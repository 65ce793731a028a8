package lab

import "net/netip"

// Routes changes how a host reaches addresses. A route carries no run's name,
// so it is for a host of the run's own ([Needs.OwnHost]).
type Routes interface {
	// Set leads to a destination over these hops and no others, in one change;
	// the route that is there, if any, is replaced.
	Set(to netip.Prefix, hops []Hop) error
	// Delete deletes the route to a destination; no error if there is none.
	Delete(to netip.Prefix) error
}

// Hop is one of the next hops of a route.
type Hop struct {
	Via    netip.Addr // the neighbour that takes the packet
	Link   string     // by which it is reached
	Weight int        // its part of the connections, 1 to 256
}
