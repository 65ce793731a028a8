package kernel

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// hardwareAddr is the Ethernet address of what has an IP address behind a
// bridge: locally administered (IEEE 802, the second bit of the first octet),
// and different where the last four octets of addresses are.
func hardwareAddr(a netip.Addr) net.HardwareAddr {
	ip := a.AsSlice()
	return append(net.HardwareAddr{0x02, 0x00}, ip[len(ip)-4:]...)
}

// introduce makes a neighbour known on a link of the thread's namespace, for
// good. The kernel's table of neighbours is one for all network namespaces, and
// what is learnt fills it: beyond neigh.default.gc_thresh3 (1024, arp(7)) no
// namespace learns any more, that of the machine included. Permanent entries
// do not count.
func introduce(link int, a netip.Addr) error {
	err := netlink.NeighSet(&netlink.Neigh{
		LinkIndex: link, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: hardwareAddr(a),
	})
	if err != nil {
		return privileged("make the neighbour "+a.String()+" known", err)
	}
	return nil
}
