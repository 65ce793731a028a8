package step

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/portlab/portlab/lab"
)

// Flows stands for the connections that the kernel tracks between a front and
// its replicas. A tracked connection keeps to its replica whatever the rules
// say by then: a SYN from the same port goes to a replica that is long gone, and
// so does every datagram of a client that goes on to send.
// Nothing is done on Apply; a replica that leaves has its entries deleted.
//
// It belongs after the chain that picks the replica and before the rules that
// lead to it: an update then forgets when the chain is changed already, and a
// revert when nothing leads to the chain any more.
type Flows struct {
	Transport string // "tcp" or "udp"; empty: tcp
	Front     []netip.AddrPort
	Replicas  []netip.AddrPort
}

// ID names the front.
func (f Flows) ID() string { return fmt.Sprintf("flows of %v", f.Front) }

// Apply does nothing: the kernel tracks connections by itself.
func (f Flows) Apply(context.Context, lab.Host) error { return nil }

// Replace forgets the connections to replicas that are not in next.
func (f Flows) Replace(_ context.Context, h lab.Host, next lab.Step) error {
	n, ok := next.(Flows)
	if !ok || n.ID() != f.ID() {
		return fmt.Errorf("%s cannot become %s", f.ID(), next.ID())
	}
	var gone []netip.AddrPort
	for _, r := range f.Replicas {
		if !slices.Contains(n.Replicas, r) {
			gone = append(gone, r)
		}
	}
	return f.forget(h, gone)
}

// Revert forgets the connections to all replicas.
func (f Flows) Revert(_ context.Context, h lab.Host) error { return f.forget(h, f.Replicas) }

func (f Flows) forget(h lab.Host, replicas []netip.AddrPort) error {
	if len(replicas) == 0 {
		return nil
	}
	_, err := h.Flows().Forget(f.Front, replicas)
	return err
}

// Shell is empty: there is nothing to do.
func (f Flows) Shell() []string { return nil }

// Undo deletes the entries; conntrack(8) fails where there are none, which is
// no failure here.
func (f Flows) Undo() []string {
	var lines []string
	for _, front := range f.Front {
		for _, r := range f.Replicas {
			lines = append(lines, forget(f.Transport, front, r))
		}
	}
	return lines
}

func port(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
