package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/vishvananda/netlink"
)

// CreateBridge makes a bridge in a namespace, with the host's own address in
// its network, for a namespace made by [New]. It snoops no multicast: neighbour discovery (RFC 4861) must
// reach a port from the moment that it is up. Its hardware address is fixed:
// else it would be the least of its ports', and change under its neighbours.
func CreateBridge(ctx context.Context, e End) error {
	return e.In.Do(ctx, func() error {
		if err := portsWithoutLinkLocal(); err != nil {
			return err
		}
		snoop := false
		bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs(), MulticastSnooping: &snoop}
		bridge.Name, bridge.HardwareAddr = e.Name, hardwareAddr(e.Address.Addr())
		if err := netlink.LinkAdd(bridge); err != nil {
			return privileged("make the bridge "+e.Name, err)
		}
		return configure(e, bridge)
	})
}

// portsWithoutLinkLocal keeps the links that the thread's namespace will have
// from IPv6 link-local addresses. With each comes a burst of multicast, which a
// bridge with a thousand ports sends a thousandfold.
func portsWithoutLinkLocal() error {
	const mode = "/proc/sys/net/ipv6/conf/default/addr_gen_mode" // ip-sysctl.rst
	if err := os.WriteFile(mode, []byte(strconv.Itoa(addrGenNone)), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return privileged("keep a bridge's ports from link-local addresses", err)
	}
	return nil
}

// bridges implements [lab.Bridges].
type bridges struct{ ns *Namespace }

// Hairpin sets the mode of all ports that the bridge has now. A port that goes
// away meanwhile is no error.
func (b bridges) Hairpin(bridge string, on bool) error {
	return b.ns.Do(context.Background(), func() error {
		ports, err := portsOf(bridge)
		if err != nil {
			return err
		}
		for _, p := range ports {
			if err := netlink.LinkSetHairpin(p, on); err != nil && !gone(p) {
				return privileged(fmt.Sprintf("set the hairpin mode of %s, a port of %s", p.Attrs().Name, bridge), err)
			}
		}
		return nil
	})
}

func portsOf(bridge string) ([]netlink.Link, error) {
	b, err := netlink.LinkByName(bridge)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil, fmt.Errorf("bridge %s: %w", bridge, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("find the bridge %s: %w", bridge, err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list the ports of %s: %w", bridge, err)
	}
	var ports []netlink.Link
	for _, l := range links {
		if l.Attrs().MasterIndex == b.Attrs().Index {
			ports = append(ports, l)
		}
	}
	return ports, nil
}

func gone(l netlink.Link) bool {
	_, err := netlink.LinkByIndex(l.Attrs().Index)
	return errors.As(err, &netlink.LinkNotFoundError{})
}
