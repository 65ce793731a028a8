package kernel

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// The first datagram over a new link is answered: none is sent again.
func TestFirstDatagramOverALinkIsAnswered(t *testing.T) {
	for name, host := range map[string]netip.Prefix{
		"IPv4": netip.MustParsePrefix("198.19.0.1/24"), "IPv6": netip.MustParsePrefix("2001:2:0:19::1/64"),
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				firstDatagram(t, host)
			}
		})
	}
}

func firstDatagram(t *testing.T, own netip.Prefix) {
	t.Helper()
	host := End{In: newNamespace(t), Name: "lan", Address: own, Router: true}
	peer := End{In: newNamespace(t), Name: "eth0", Address: netip.PrefixFrom(own.Addr().Next(), own.Bits()), Gateway: own.Addr()}
	no(t, CreateVeth(t.Context(), lab.NewRunID(), host, peer))
	no(t, AwaitLinks(t.Context(), host, peer))
	at := netip.AddrPortFrom(own.Addr(), 8080)
	var server net.PacketConn
	no(t, host.In.Do(t.Context(), func() (err error) {
		server, err = net.ListenPacket("udp", at.String())
		return err
	}))
	defer server.Close()
	var client net.Conn
	no(t, peer.In.Do(t.Context(), func() (err error) {
		client, err = net.Dial("udp", at.String())
		return err
	}))
	defer client.Close()
	no(t, client.SetDeadline(time.Now().Add(5*time.Second)))
	no(t, server.SetDeadline(time.Now().Add(5*time.Second)))
	b := make([]byte, 16)
	no(t, write(client, "question"))
	no(t, reply(server, b))
	if n, err := client.Read(b); err != nil || string(b[:n]) != "question" {
		t.Fatalf("%q came back, %v", b[:n], err)
	}
}

func write(c net.Conn, text string) error {
	_, err := c.Write([]byte(text))
	return err
}

// reply sends one datagram back.
func reply(c net.PacketConn, b []byte) error {
	n, from, err := c.ReadFrom(b)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(b[:n], from)
	return err
}
