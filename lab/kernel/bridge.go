package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/vishvananda/netlink"
)

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
