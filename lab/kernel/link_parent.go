package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Parent is a link of the host's on which macvlan or ipvlan links are made, and
// the host's own one of them. It is one end of a veth pair, since every kernel
// that can be a host has those; the other end is up, so that the parent is, and
// takes no part in anything.
type Parent struct {
	Kind lab.LinkKind // LinkMacvlan or LinkIPvlan
	Name string       // at most 15 characters, netdevice(7)
	Far  string       // name of the pair's other end
	// Own is the host's own link on the parent, with the address that is the
	// gateway of the others.
	Own End
}

// CreateParent makes a parent in a namespace, and the host's own link on it. A
// name that is made by [lab.RunID.Link] is marked with its run's comment as its
// alias, so that [Traces] finds it; all that is on the parent goes with it. It
// returns an [lab.UnsupportedError] where the kernel has no such links. A failed
// CreateParent leaves nothing behind.
func CreateParent(ctx context.Context, run lab.RunID, p Parent) error {
	err := p.Own.In.Do(ctx, func() error { return makeParent(run, p) })
	if errors.Is(err, unix.EEXIST) {
		return err // what stands there is not ours to delete
	}
	if err == nil {
		err = CreateOnParent(ctx, p, p.Own)
	}
	if err != nil {
		return errors.Join(err, DeleteLink(context.WithoutCancel(ctx), p.Own.In, p.Name))
	}
	return nil
}

func makeParent(run lab.RunID, p Parent) error {
	pair := &netlink.Veth{LinkAttrs: netlink.NewLinkAttrs(), PeerName: p.Far}
	pair.Name = p.Name
	if p.Kind == lab.LinkIPvlan { // whose links all have the parent's
		pair.HardwareAddr = hardwareAddr(p.Own.Address.Addr())
	}
	if err := netlink.LinkAdd(pair); err != nil {
		return privileged(fmt.Sprintf("make the links %s and %s", p.Name, p.Far), err)
	}
	if strings.HasPrefix(p.Name, run.Link("")) {
		if err := netlink.LinkSetAlias(pair, run.Comment()); err != nil {
			return fmt.Errorf("mark the link %s: %w", p.Name, err)
		}
	}
	far, err := netlink.LinkByName(p.Far)
	if err != nil {
		return fmt.Errorf("find the link %s: %w", p.Far, err)
	}
	// The host would answer there, too, when a replica asks who has the gateway.
	if err := netlink.LinkSetARPOff(far); err != nil {
		return fmt.Errorf("keep %s from ARP: %w", p.Far, err)
	}
	if err := configure(End{Name: p.Far}, far); err != nil {
		return err
	}
	if err := configure(End{Name: p.Name, Address: p.returning()}, pair); err != nil {
		return err
	}
	return looseReversePath(p)
}

// returning is the address of a parent by which the host gets what replicas send
// to an address of no ipvlan link, such as their answers to other machines: the
// kernel then takes it for the parent's own frame. Such packets come from where
// only the host's own link leads, so the reverse-path filter (RFC 3704) must be
// loose, and a loose one lets nothing in by a link with no address
// (fib_validate_source in net/ipv4/fib_frontend.c). The host's own address in the
// replicas' network serves. IPv6 has no such filter.
func (p Parent) returning() netip.Prefix {
	a := p.Own.Address.Addr()
	if p.Kind != lab.LinkIPvlan || !a.Is4() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(a, a.BitLen())
}

// looseReversePath loosens the filter of a parent that has a returning address.
func looseReversePath(p Parent) error {
	if !p.returning().IsValid() {
		return nil
	}
	name, value := p.reversePath()
	if err := os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0); err != nil {
		return privileged("loosen the reverse-path filter of "+p.Name, err)
	}
	return nil
}

// reversePath is the parameter of the parent's filter, and its value for loose
// (ip-sysctl.rst). The larger one of it and that of all links counts, so it is
// loose whatever that says.
func (p Parent) reversePath() (name, value string) {
	return "net.ipv4.conf." + p.Name + ".rp_filter", "2"
}

// CreateOnParent makes a link on a parent and gives it to a namespace: that of
// a replica, or the host's own. Where it has a gateway that must be the host's
// own link's address: the two then know each other from the start (see
// introduce). A failed CreateOnParent leaves nothing behind.
func CreateOnParent(ctx context.Context, p Parent, e End) error {
	if err := p.Own.In.Do(ctx, func() error { return makeOnParent(p, e) }); err != nil {
		return err
	}
	if err := e.In.Do(ctx, func() error { return finishPeerEnd(e) }); err != nil {
		return errors.Join(err, DeleteLink(context.WithoutCancel(ctx), e.In, e.Name))
	}
	return nil
}

// makeOnParent makes a link on the parent, and has the host's own link know it.
func makeOnParent(p Parent, e End) error {
	parent, err := netlink.LinkByName(p.Name)
	if err != nil {
		return fmt.Errorf("find the parent link %s: %w", p.Name, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.Namespace = e.Name, parent.Attrs().Index, netlink.NsFd(e.In.file.Fd())
	err = netlink.LinkAdd(p.link(attrs, e.Address.Addr()))
	if errors.Is(err, unix.EOPNOTSUPP) {
		return noSuchLinks(p.Kind)
	}
	if err != nil {
		return privileged(fmt.Sprintf("make the %s link %s on %s", p.Kind, e.Name, p.Name), err)
	}
	if !e.Gateway.IsValid() {
		return nil
	}
	own, err := netlink.LinkByName(p.Own.Name)
	if err != nil {
		return fmt.Errorf("find the link %s: %w", p.Own.Name, err)
	}
	return introduce(own.Attrs().Index, p.hardwareAddr(e.Address.Addr()), e.Address.Addr())
}

// link is one of the parent's kind, for what has an address.
func (p Parent) link(attrs netlink.LinkAttrs, a netip.Addr) netlink.Link {
	if p.Kind == lab.LinkIPvlan {
		return &netlink.IPVlan{LinkAttrs: attrs, Mode: netlink.IPVLAN_MODE_L2}
	}
	attrs.HardwareAddr = p.hardwareAddr(a)
	return &netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}
}

// hardwareAddr is that of the link on the parent that has an address.
func (p Parent) hardwareAddr(a netip.Addr) net.HardwareAddr {
	if p.Kind == lab.LinkIPvlan {
		a = p.Own.Address.Addr()
	}
	return hardwareAddr(a)
}

func noSuchLinks(k lab.LinkKind) error {
	return &lab.UnsupportedError{
		What: string(k) + " links", Reason: fmt.Sprintf("this kernel has none (CONFIG_%s)", strings.ToUpper(string(k))),
		Remedy: fmt.Sprintf("load the module: modprobe %s; where there is none, use another kernel, in a virtual machine: --in-vm", k),
	}
}

// checkLink makes a link of a kind in a namespace that goes with it.
func checkLink(ctx context.Context, k lab.LinkKind) (err error) {
	if !k.OnParent() {
		return nil
	}
	ns, err := New()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	return CreateParent(ctx, "", Parent{Kind: k, Name: "parent", Far: "far", Own: End{
		In: ns, Name: "own", Address: netip.MustParsePrefix("198.18.0.1/16"), // RFC 2544
	}})
}
