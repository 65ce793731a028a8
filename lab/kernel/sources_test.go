package kernel

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/portlab/portlab/lab"
)

// Each address of a client can be called from and answered to, and nobody
// learns a neighbour for that.
func TestVethGivesAClientManyAddresses(t *testing.T) {
	for name, first := range map[string]netip.Prefix{
		"IPv4": netip.MustParsePrefix("198.19.0.1/22"), "IPv6": netip.MustParsePrefix("2001:2:0:19::1/64"),
	} {
		t.Run(name, func(t *testing.T) { manyAddresses(t, first, 1000) })
	}
}

func manyAddresses(t *testing.T, host netip.Prefix, n int) {
	server, client := newNamespace(t), newNamespace(t)
	all := Consecutive(host.Addr().Next(), n)
	no(t, CreateVeth(t.Context(), lab.NewRunID(), End{In: server, Name: "lan", Address: host, Router: true}, End{
		In: client, Name: "eth0", Address: netip.PrefixFrom(all[0], host.Bits()), More: all[1:], Gateway: host.Addr(),
	}))
	at := netip.AddrPortFrom(host.Addr(), 8080)
	var l net.Listener
	no(t, server.Do(t.Context(), func() (err error) {
		l, err = net.Listen("tcp", at.String())
		return err
	}))
	defer l.Close()
	no(t, client.Do(t.Context(), func() error {
		for _, own := range all {
			if err := callFrom(own, at, l); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, ns := range []*Namespace{server, client} {
		no(t, ns.Do(t.Context(), func() error {
			known, err := netlink.NeighList(0, 0)
			for _, k := range known {
				if k.State&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) == 0 {
					t.Errorf("learnt: %+v", k)
				}
			}
			return err
		}))
	}
}

// callFrom makes one connection and checks whom the listener sees.
func callFrom(own netip.Addr, to netip.AddrPort, l net.Listener) error {
	c, err := (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(own, 0))}).Dial("tcp", to.String())
	if err != nil {
		return err
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		return err
	}
	if saw := accepted.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap(); saw != own {
		err = errors.New(own.String() + " was seen as " + saw.String())
	}
	return errors.Join(err, accepted.Close())
}

func TestCheckSources(t *testing.T) {
	for _, c := range []struct {
		vantage lab.Vantage
		ip      lab.Family
		clients int
		ok      bool
	}{
		{lab.External, lab.IPv4, 1000, true},
		{lab.External, lab.IPv6, 1000, true},
		{lab.Localhost, lab.IPv4, 1000, true},
		{lab.Localhost, lab.IPv6, 2, false},
		{lab.Localhost, lab.IPv6, 1, true},
		{lab.OnHost, lab.IPv4, 2, false},
		{lab.OnHost, lab.IPv4, 0, true},
		{lab.Peer, lab.IPv6, 2, false},
		{lab.Peer, lab.IPv4, 1, true},
		{"", lab.IPv4, 50, true},
	} {
		err := CheckSources(c.vantage, c.ip, c.clients)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%d clients at %q over IPv%d: %v", c.clients, c.vantage, c.ip, err)
		}
	}
}
