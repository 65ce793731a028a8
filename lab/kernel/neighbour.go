package kernel

import (
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// hardwareAddr is the Ethernet address of what has an IP address on one of our
// links: locally administered (IEEE 802, the second bit of the first octet),
// and different where the last four octets of addresses are.
func hardwareAddr(a netip.Addr) net.HardwareAddr {
	ip := a.AsSlice()
	return append(net.HardwareAddr{0x02, 0x00}, ip[len(ip)-4:]...)
}

// introduce makes neighbours known on a link of the thread's namespace, for
// good, all of one hardware address. The kernel's table of neighbours is one for
// all network namespaces, and what is learnt fills it: beyond
// neigh.default.gc_thresh3 (1024, arp(7)) no namespace learns any more, that of
// the machine included. Permanent entries do not count.
func introduce(link int, at net.HardwareAddr, who ...netip.Addr) error {
	for _, a := range who {
		err := netlink.NeighSet(&netlink.Neigh{
			LinkIndex: link, State: netlink.NUD_PERMANENT, IP: a.AsSlice(), HardwareAddr: at,
		})
		if err != nil {
			return privileged("make the neighbour "+a.String()+" known", err)
		}
	}
	return nil
}
