package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// routes implements [lab.Routes] by rtnetlink (rtnetlink(7)).
type routes struct{ ns *Namespace }

func (r routes) Set(to netip.Prefix, hops []lab.Hop) error {
	what := fmt.Sprintf("route %s over %d hops", to, len(hops))
	return r.do(what, func() error {
		route := &netlink.Route{Dst: ipNet(to)}
		for _, h := range hops {
			link, err := netlink.LinkByName(h.Link)
			if err != nil {
				return fmt.Errorf("find the link %s: %w", h.Link, err)
			}
			route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{
				LinkIndex: link.Attrs().Index, Gw: h.Via.AsSlice(), Hops: h.Weight - 1, // rtnh_hops is one less (rtnetlink(7))
			})
		}
		return netlink.RouteReplace(route)
	})
}

func (r routes) Delete(to netip.Prefix) error {
	err := r.do("delete the route to "+to.String(), func() error {
		return netlink.RouteDel(&netlink.Route{Dst: ipNet(to)})
	})
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func (r routes) do(what string, f func() error) error {
	if err := r.ns.Do(context.Background(), f); err != nil {
		return privileged(what, err)
	}
	return nil
}
