package lab

import "net/netip"

// VirtualServers is the kernel's IPVS (ipvsadm(8)). A virtual server carries no
// run's name, so it is for a host of the run's own ([Needs.OwnHost]).
type VirtualServers interface {
	// Set makes a virtual server, or changes the one at its address, and gives it
	// these real servers. One that is no longer among them gets no new
	// connection, and is deleted once it has none.
	Set(v VirtualServer) error
	// Delete deletes a virtual server with its real ones; no error if there is none.
	Delete(at netip.AddrPort, transport string) error
}

// VirtualServer is an address behind which real servers are, by translation of
// the destination (masquerading, as ipvsadm(8) calls it).
type VirtualServer struct {
	At        netip.AddrPort
	Transport string // tcp or udp
	Scheduler string // such as rr
	Servers   []RealServer
}

// Fallback says whether the scheduler must be told to pass over a real server
// that takes no new connection: those that hash choose it still, and drop what
// they have chosen it for (ipvsadm(8), sh-fallback and mh-fallback).
func (v VirtualServer) Fallback() bool { return v.Scheduler == "sh" || v.Scheduler == "mh" }

// RealServer is one of the servers behind a [VirtualServer].
type RealServer struct {
	At     netip.AddrPort
	Weight int // 1 to 65535
}
