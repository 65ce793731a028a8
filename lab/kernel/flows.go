package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// flows implements [lab.Flows] by ctnetlink, for all protocols with ports.
type flows struct{ ns *Namespace }

func (f flows) Forget(front, replicas []netip.AddrPort) (uint, error) {
	match := flowMatch{front: setOf(front), replica: setOf(replicas)}
	if len(match.front) == 0 || len(match.replica) == 0 {
		return 0, nil
	}
	var deleted uint
	err := f.ns.Do(context.Background(), func() error {
		for _, family := range families(front) {
			n, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, family, match)
			deleted += n
			if err != nil {
				return flowError(err)
			}
		}
		return nil
	})
	return deleted, err
}

// flowMatch matches flows that were sent to a front and are answered by a replica.
type flowMatch struct{ front, replica map[netip.AddrPort]bool }

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (m flowMatch) MatchConntrackFlow(f *netlink.ConntrackFlow) bool {
	return m.front[addrPort(f.Forward.DstIP, f.Forward.DstPort)] &&
		m.replica[addrPort(f.Reverse.SrcIP, f.Reverse.SrcPort)]
}

func addrPort(ip net.IP, port uint16) netip.AddrPort {
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a.Unmap(), port)
}

func setOf(all []netip.AddrPort) map[netip.AddrPort]bool {
	set := make(map[netip.AddrPort]bool, len(all))
	for _, a := range all {
		set[netip.AddrPortFrom(a.Addr().Unmap(), a.Port())] = true
	}
	return set
}

func families(front []netip.AddrPort) []netlink.InetFamily {
	var v4, v6 bool
	for _, a := range front {
		v4 = v4 || a.Addr().Unmap().Is4()
		v6 = v6 || !a.Addr().Unmap().Is4()
	}
	var all []netlink.InetFamily
	if v4 {
		all = append(all, unix.AF_INET)
	}
	if v6 {
		all = append(all, unix.AF_INET6)
	}
	return all
}

func flowError(err error) error {
	const what = "delete tracked connections"
	// nfnetlink answers EINVAL where no ctnetlink is registered with it.
	for _, absent := range []error{unix.EINVAL, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT} {
		if errors.Is(err, absent) {
			return &lab.UnsupportedError{
				What: what, Reason: fmt.Sprintf("this kernel has no ctnetlink (%v)", err),
				Remedy: "modprobe nf_conntrack_netlink",
			}
		}
	}
	return privileged(what, err)
}
