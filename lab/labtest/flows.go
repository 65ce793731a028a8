package labtest

import (
	"errors"
	"net/netip"
	"slices"
)

// Flow is a connection that the kernel tracks.
type Flow struct {
	Transport string         // tcp or udp; empty: tcp
	Front     netip.AddrPort // its original destination
	Replica   netip.AddrPort // where the replies come from
}

// Track adds a tracked connection.
func (h *Host) Track(f Flow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.flows = append(h.flows, f)
}

// flows is the fake of [lab.Flows].
type flows struct{ h *Host }

func (f flows) Forget(front, replicas []netip.AddrPort) (uint, error) {
	return f.forget(front, replicas, func(Flow) bool { return true })
}

// forget deletes those of the flows that are meant.
func (f flows) forget(front, replicas []netip.AddrPort, meant func(Flow) bool) (uint, error) {
	f.h.mu.Lock()
	defer f.h.mu.Unlock()
	if err := f.h.mutate("forget flows"); err != nil {
		return 0, err
	}
	if len(front) == 0 || len(replicas) == 0 {
		return 0, errors.New("flows without a front or a replica: that would be all of them")
	}
	before := len(f.h.flows)
	f.h.flows = slices.DeleteFunc(f.h.flows, func(x Flow) bool {
		return meant(x) && slices.Contains(front, x.Front) && slices.Contains(replicas, x.Replica)
	})
	return uint(before - len(f.h.flows)), nil
}
