package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// requireLinks skips t where the kernel has no links of a kind.
func requireLinks(t *testing.T, k lab.LinkKind) {
	t.Helper()
	requireRoot(t)
	err := checkLink(t.Context(), k)
	labtest.Require(t, string(k), !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
	no(t, err)
}

// onParent are the host's own link on a parent and those of two namespaces.
type onParent struct {
	Parent
	run   lab.RunID
	peers [2]End
}

func newOnParent(t *testing.T, k lab.LinkKind, own netip.Prefix) onParent {
	t.Helper()
	o := onParent{run: lab.NewRunID()}
	o.Parent = Parent{Kind: k, Name: o.run.Link("p"), Far: o.run.Link("q"), Own: End{
		In: newNamespace(t), Name: o.run.Link("o"), Address: own, Router: true,
	}}
	no(t, CreateParent(t.Context(), o.run, o.Parent))
	a := own.Addr()
	for i := range o.peers {
		a = a.Next()
		o.peers[i] = End{In: newNamespace(t), Name: "eth0", Address: netip.PrefixFrom(a, own.Bits()), Gateway: own.Addr()}
		no(t, CreateOnParent(t.Context(), o.Parent, o.peers[i]))
		no(t, AwaitAddresses(t.Context(), o.peers[i]))
	}
	return o
}

// eachParent runs a test for each kind of link and both IP versions.
func eachParent(t *testing.T, f func(*testing.T, onParent)) {
	for _, k := range []lab.LinkKind{lab.LinkMacvlan, lab.LinkIPvlan} {
		for _, own := range []string{"198.18.0.1/16", "2001:2:0:18::1/64"} {
			t.Run(string(k)+"-"+own, func(t *testing.T) {
				requireLinks(t, k)
				f(t, newOnParent(t, k, netip.MustParsePrefix(own)))
			})
		}
	}
}

// Everyone on a parent reaches everyone else, the host by its own link, and is
// seen by the address that it has: from the first datagram on, of which none is
// sent again.
func TestAllOnAParentReachEachOther(t *testing.T) {
	eachParent(t, func(t *testing.T, o onParent) {
		all := []End{o.Own, o.peers[0], o.peers[1]}
		for _, server := range all {
			for _, client := range all {
				if server.Name != client.Name || server.In != client.In {
					answered(t, client, server)
				}
			}
		}
		// What the host has elsewhere they reach by it.
		elsewhere := netip.MustParsePrefix("198.19.0.1/32")
		if o.Own.Address.Addr().Is6() {
			elsewhere = netip.MustParsePrefix("2001:2:0:19::1/128")
		}
		no(t, HoldAddress(t.Context(), o.Own.In, elsewhere.Addr()))
		for _, client := range o.peers {
			answered(t, client, End{In: o.Own.In, Address: elsewhere})
		}
	})
}

// answered sends one datagram from one end to another, and gets one back.
func answered(t *testing.T, client, server End) {
	t.Helper()
	at := netip.AddrPortFrom(server.Address.Addr(), 8080)
	var l net.PacketConn
	no(t, server.In.Do(t.Context(), func() (err error) {
		l, err = net.ListenPacket("udp", at.String())
		return err
	}))
	defer l.Close()
	var c net.Conn
	no(t, client.In.Do(t.Context(), func() (err error) {
		c, err = net.Dial("udp", at.String())
		return err
	}))
	defer c.Close()
	no(t, errors.Join(c.SetDeadline(time.Now().Add(5*time.Second)), l.SetDeadline(time.Now().Add(5*time.Second))))
	no(t, write(c, "question"))
	b := make([]byte, 16)
	n, from, err := l.ReadFrom(b)
	no(t, err)
	if saw := from.(*net.UDPAddr).AddrPort().Addr().Unmap(); saw != client.Address.Addr() {
		t.Errorf("%s saw %s, not %s", server.Address, saw, client.Address)
	}
	if _, err := l.WriteTo(b[:n], from); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(b); err != nil || string(b[:n]) != "question" {
		t.Fatalf("%s gets %q back from %s, %v", client.Address, b[:n], server.Address, err)
	}
}

// A parent is found by its run's id, and all that is on it goes with it.
func TestParentIsFoundAndTakesAllAlong(t *testing.T) {
	eachParent(t, func(t *testing.T, o onParent) {
		found := tracesOf(t, o.Own.In, o.run)
		if len(found) != 1 || found[0].Kind != lab.LinkTrace || found[0].Name != o.Name {
			t.Fatalf("found %v", found)
		}
		no(t, found[0].Remove(t.Context()))
		for _, e := range append(o.peers[:], o.Own) {
			if left := linksOf(t, e.In); len(left) != 1 { // the loopback link
				t.Errorf("left are %v", left)
			}
		}
	})
}

// What fails on the way leaves nothing, and what stood there before stays.
func TestParentThatFailsLeavesNothing(t *testing.T) {
	for _, taken := range []string{"parent", "own"} {
		ns := newNamespace(t)
		no(t, ns.Do(t.Context(), func() error {
			return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: taken}})
		}))
		err := CreateParent(t.Context(), "", Parent{Kind: lab.LinkMacvlan, Name: "parent", Far: "far", Own: End{
			In: ns, Name: "own", Address: netip.MustParsePrefix("198.18.0.1/16"),
		}})
		if err == nil {
			t.Errorf("there are two links called %s", taken)
		}
		if left := linksOf(t, ns); len(left) != 2 {
			t.Errorf("%s was taken, and the links are %v", taken, left)
		}
	}
}

func linksOf(t *testing.T, ns *Namespace) (names []string) {
	t.Helper()
	no(t, ns.Do(context.WithoutCancel(t.Context()), func() error {
		links, err := netlink.LinkList()
		for _, l := range links {
			names = append(names, l.Attrs().Name)
		}
		return err
	}))
	return names
}
