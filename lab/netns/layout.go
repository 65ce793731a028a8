package netns

import (
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// The links of the host. Its namespace is the run's own, so no name can clash.
const (
	bridge = "br0"     // to the replicas
	parent = "parent0" // of the links to the replicas, where there is no bridge
	far    = "parent1" // its other end
	lan    = "lan0"    // to the external client
	inside = "eth0"    // of a client and of a replica, to the host
)

// toReplicas is the name of the host's link to the replicas.
func toReplicas(k lab.LinkKind) string {
	if k.OnParent() {
		return string(k) + "0"
	}
	return bridge
}

// layout is where things are. Every world has the same.
type layout struct {
	subnet   netip.Prefix // the replicas, behind the bridge
	gateway  netip.Addr   // the host in it
	lan      netip.Prefix // the host and the external client
	host     netip.Addr
	client   netip.Addr // its first address
	loopback netip.Addr
	shared   netip.Addr // that replicas have together, in no network of the host's
	any      netip.Addr // what a replica in a namespace of its own listens on
}

// layoutOf is the layout of an IP version: addresses that are set aside for
// benchmarks (198.18.0.0/15, RFC 2544; 2001:2::/48, RFC 5180).
func layoutOf(ip lab.Family) layout {
	if ip == lab.IPv6 {
		return layout{
			subnet: netip.MustParsePrefix("2001:2:0:18::/64"), gateway: netip.MustParseAddr("2001:2:0:18::1"),
			lan:  netip.MustParsePrefix("2001:2:0:19::/64"),
			host: netip.MustParseAddr("2001:2:0:19::1"), client: netip.MustParseAddr("2001:2:0:19::2"),
			shared:   netip.MustParseAddr("2001:2:0:1a::1"),
			loopback: netip.IPv6Loopback(), any: netip.IPv6Unspecified(),
		}
	}
	return layout{
		subnet: netip.MustParsePrefix("198.18.0.0/16"), gateway: netip.MustParseAddr("198.18.0.1"),
		lan:  netip.MustParsePrefix("198.19.0.0/22"),
		host: netip.MustParseAddr("198.19.0.1"), client: netip.MustParseAddr("198.19.0.2"),
		shared:   netip.MustParseAddr("198.19.8.1"),
		loopback: netip.AddrFrom4([4]byte{127, 0, 0, 1}), any: netip.IPv4Unspecified(),
	}
}

// replica is the address of the i-th replica, counted from 0.
func (l layout) replica(i int) netip.Addr {
	b := l.gateway.AsSlice()
	at := int(b[len(b)-2])<<8 | int(b[len(b)-1])
	at += 1 + i
	b[len(b)-2], b[len(b)-1] = byte(at>>8), byte(at)
	a, _ := netip.AddrFromSlice(b)
	return a
}

// clients is the network of the external client's addresses.
func (l layout) clients(n int) netip.Prefix {
	if n > 1 {
		return l.lan
	}
	return netip.PrefixFrom(l.client, l.client.BitLen())
}

// within is an address with the length of its network's prefix.
func within(p netip.Prefix, a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, p.Bits()) }
