package kernel

import (
	"bytes"
	"context"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// BringUpLoopback brings up the loopback link of a namespace, which that of a
// kernel that has just started is not.
func BringUpLoopback(ctx context.Context, ns *Namespace) error {
	return ns.Do(ctx, func() error {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			return privileged("bring up the loopback link", err)
		}
		return nil
	})
}

// BringUpWired gives a network card what its end says and brings it up. It is
// known by its hardware address, and keeps the name that the kernel gave it.
func BringUpWired(ctx context.Context, card net.HardwareAddr, e End) error {
	return e.In.Do(ctx, func() error {
		all, err := netlink.LinkList()
		if err != nil {
			return privileged("list the links", err)
		}
		for _, link := range all {
			if bytes.Equal(link.Attrs().HardwareAddr, card) {
				e.Name = link.Attrs().Name
				return configure(e, link)
			}
		}
		return fmt.Errorf("there is no link with the hardware address %s", card)
	})
}
