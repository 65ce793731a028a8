package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// End is one end of a veth pair (veth(4)), or a link on a [Parent].
type End struct {
	In      *Namespace
	Name    string       // at most 15 characters, netdevice(7)
	Address netip.Prefix // of its own; invalid: none
	Gateway netip.Addr   // through which what has no other route goes; invalid: none
	// More are further addresses, in the network of Address.
	More []netip.Addr
	// Bridge is of whose ports it is one; empty: none. The bridge's own address
	// must then be the other end's gateway.
	Bridge string
	// Router: the namespace forwards what comes in here. With an IPv6 address
	// the link then has [RouterLinkLocal], too: without a link-local address the
	// kernel asks for no neighbour on behalf of what it forwards.
	Router bool
}

// RouterLinkLocal is the link-local address (RFC 4291, 2.5.6) of a router's end.
var RouterLinkLocal = netip.MustParsePrefix("fe80::1/64")

// CreateVeth links two namespaces by a veth pair, gives both ends what they
// are to have and brings them up. The host's address, which is its bridge's if
// it has one, must be the peer's gateway if it has one: the two then know each
// other from the start (see introduce). A host's end whose name is made by
// [lab.RunID.Link] is marked with its run's comment as its alias, so that
// [Traces] finds it. A failed CreateVeth leaves nothing behind.
func CreateVeth(ctx context.Context, run lab.RunID, host, peer End) error {
	err := host.In.Do(ctx, func() error { return makeHostEnd(run, host, peer) })
	if errors.Is(err, unix.EEXIST) {
		return err // what stands there is not ours to delete
	}
	if err == nil {
		err = peer.In.Do(ctx, func() error { return finishPeerEnd(peer) })
	}
	if err != nil {
		return errors.Join(err, DeleteLink(context.WithoutCancel(ctx), host.In, host.Name))
	}
	return nil
}

// makeHostEnd makes both ends, and of the host's what it is to be.
func makeHostEnd(run lab.RunID, host, peer End) error {
	pair := &netlink.Veth{
		LinkAttrs: netlink.NewLinkAttrs(), PeerName: peer.Name,
		PeerNamespace: netlink.NsFd(peer.In.file.Fd()),
	}
	pair.Name = host.Name
	if host.Bridge != "" {
		bridge, err := netlink.LinkByName(host.Bridge)
		if err != nil {
			return fmt.Errorf("find the bridge %s: %w", host.Bridge, err)
		}
		pair.MasterIndex = bridge.Attrs().Index
	}
	if peer.Gateway.IsValid() {
		pair.PeerHardwareAddr = hardwareAddr(peer.Address.Addr())
		if host.Bridge == "" {
			pair.HardwareAddr = hardwareAddr(peer.Gateway)
		}
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return privileged(fmt.Sprintf("make the links %s and %s", host.Name, peer.Name), err)
	}
	var err error
	if strings.HasPrefix(host.Name, run.Link("")) {
		err = netlink.LinkSetAlias(pair, run.Comment())
	}
	if err = errors.Join(err, configure(host, pair)); err != nil || !peer.Gateway.IsValid() {
		return err
	}
	return introduce(cmp.Or(pair.MasterIndex, pair.Index), pair.PeerHardwareAddr, slices.Concat(peer.More, []netip.Addr{peer.Address.Addr()})...)
}

// finishPeerEnd makes of the peer's end what it is to be.
func finishPeerEnd(peer End) error {
	link, err := netlink.LinkByName(peer.Name)
	if err != nil {
		return fmt.Errorf("find the link %s: %w", peer.Name, err)
	}
	if err := configure(peer, link); err != nil || !peer.Gateway.IsValid() {
		return err
	}
	return introduce(link.Attrs().Index, hardwareAddr(peer.Gateway), peer.Gateway)
}

// addrGenNone is IN6_ADDR_GEN_MODE_NONE of linux/if_link.h.
const addrGenNone = 1

// configure gives a link of the thread's namespace what it is to have and
// brings it up.
func configure(e End, link netlink.Link) error {
	if link.Attrs().MasterIndex == 0 { // a port has none by the bridge's namespace
		if err := withoutLinkLocal(link); err != nil {
			return err
		}
	}
	for _, a := range e.addresses() {
		addr := &netlink.Addr{IPNet: ipNet(a)}
		if a.Addr().Is6() {
			// Without duplicate address detection the address is usable at once (RFC 4862, 5.4).
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := netlink.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("give %s the address %s: %w", e.Name, a, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", e.Name, err)
	}
	if !e.Gateway.IsValid() {
		return nil
	}
	return addDefaultRoute(e.Gateway)
}

// addresses are all that an end is to have.
func (e End) addresses() []netip.Prefix {
	if !e.Address.IsValid() {
		return nil
	}
	all := []netip.Prefix{e.Address}
	if e.Router && e.Address.Addr().Is6() {
		all = append(all, RouterLinkLocal)
	}
	for _, a := range e.More {
		all = append(all, netip.PrefixFrom(a, e.Address.Bits()))
	}
	return all
}

// withoutLinkLocal keeps a link from an IPv6 link-local address: an IPv4 link
// has no use for one, and an IPv6 link has the address that it is given.
func withoutLinkLocal(link netlink.Link) error {
	if _, err := os.Stat("/proc/sys/net/ipv6"); errors.Is(err, fs.ErrNotExist) {
		return nil // a kernel without IPv6
	}
	if err := netlink.LinkSetIP6AddrGenMode(link, addrGenNone); err != nil {
		return fmt.Errorf("keep %s from a link-local address: %w", link.Attrs().Name, err)
	}
	return nil
}

// addDefaultRoute sends what has no other route in the thread's namespace
// through a gateway.
func addDefaultRoute(via netip.Addr) error {
	everything := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if via.Is6() {
		everything = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	route := &netlink.Route{Dst: ipNet(everything), Gw: via.AsSlice()}
	if err := netlink.RouteReplace(route); err != nil {
		return privileged("route through "+via.String(), err)
	}
	return nil
}

// DeleteLink deletes a link by its name, and with a veth its peer; no error if
// there is none.
func DeleteLink(ctx context.Context, ns *Namespace, name string) error {
	return ns.Do(ctx, func() error {
		link, err := netlink.LinkByName(name)
		if errors.As(err, &netlink.LinkNotFoundError{}) {
			return nil
		}
		if err == nil {
			err = netlink.LinkDel(link)
		}
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return privileged("delete the link "+name, err)
		}
		return nil
	})
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// HoldAddress gives a namespace an address that is on none of its links' networks,
// by its loopback link: it takes what is routed to it there.
func HoldAddress(ctx context.Context, ns *Namespace, a netip.Addr) error {
	return ns.Do(ctx, func() error {
		lo := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "lo", Index: 1}} // the first of a namespace
		addr := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(a, a.BitLen()))}
		if a.Is6() {
			addr.Flags = unix.IFA_F_NODAD // others have it, too
		}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			return privileged(fmt.Sprintf("give a namespace the address %s", a), err)
		}
		return awaitLocal(ctx, a)
	})
}
