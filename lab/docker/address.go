package docker

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"

	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
)

// slots is how many runs can be on one machine at a time: each has a slot of
// addresses of its own.
const slots = 64

// maxReplicas is how many fit into a slot's subnet, with room to spare.
const maxReplicas = 1000

// layout is where things are in one slot.
type layout struct {
	subnet  netip.Prefix // 198.18.4k.0/22: the replicas, behind the bridge
	gateway netip.Addr   // the host in it
	lan     netip.Prefix // 198.19.4k.0/22: the host and the external client
	host    netip.Addr
	client  netip.Addr // its first address
}

func layoutOf(slot int) layout {
	replicas := netip.AddrFrom4([4]byte{198, 18, byte(4 * slot), 0})
	lan := netip.AddrFrom4([4]byte{198, 19, byte(4 * slot), 0})
	return layout{
		subnet: netip.PrefixFrom(replicas, 22), gateway: replicas.Next(),
		lan: netip.PrefixFrom(lan, 22), host: lan.Next(), client: lan.Next().Next(),
	}
}

// replica is the address of the i-th replica, counted from 0.
func (l layout) replica(i int) netip.Addr { return offset(l.subnet.Addr(), 2+i) }

// clients is the network of the external client's addresses.
func (l layout) clients(n int) netip.Prefix {
	if n > 1 {
		return l.lan
	}
	return netip.PrefixFrom(l.client, l.client.BitLen())
}

func offset(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	v := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	v += uint32(n)
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
}

// takeSlot claims the first slot whose addresses nobody uses.
func takeSlot(ctx context.Context, e *engine) (layout, io.Closer, error) {
	used, err := usedPrefixes(ctx, e)
	if err != nil {
		return layout{}, nil, err
	}
	for k := range slots {
		l := layoutOf(k)
		if overlaps(used, l.subnet) || overlaps(used, l.lan) {
			continue
		}
		if claim, ok := guard.Claim(fmt.Sprintf("slot-%d", k)); ok {
			return l, claim, nil
		}
	}
	return layout{}, nil, &lab.UnsupportedError{
		What: "addresses for the lab", Reason: "all of 198.18.0.0/15 is in use on this machine",
		Remedy: "end other runs, or see `portlab clean --dry-run`",
	}
}

func usedPrefixes(ctx context.Context, e *engine) ([]netip.Prefix, error) {
	var used []netip.Prefix
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the machine's addresses: %w", err)
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			used = append(used, p.Masked())
		}
	}
	networks, err := e.api.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the engine's networks: %w", err)
	}
	for _, n := range networks.Items {
		for _, c := range n.IPAM.Config {
			if c.Subnet.IsValid() {
				used = append(used, c.Subnet)
			}
		}
	}
	return used, nil
}

func overlaps(used []netip.Prefix, p netip.Prefix) bool {
	for _, u := range used {
		if u.Overlaps(p) {
			return true
		}
	}
	return false
}

// prefix is an address with the length of its network's prefix.
func prefix(a netip.Addr, in netip.Prefix) netip.Prefix { return netip.PrefixFrom(a, in.Bits()) }
