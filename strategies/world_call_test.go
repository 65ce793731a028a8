package strategies

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab/kernel"
)

// dial makes a connection from a namespace and gives who answered, and the
// client's address that it saw.
func (w *world) dial(ctx context.Context, from *kernel.Namespace, to netip.AddrPort) (name, saw string, err error) {
	return w.dialAs(ctx, from, netip.Addr{}, to)
}

// dialAs is dial with an address of the client's own choice, if it is valid.
func (w *world) dialAs(ctx context.Context, from *kernel.Namespace, own netip.Addr, to netip.AddrPort) (name, saw string, err error) {
	c, err := w.open(ctx, from, own, to)
	if err != nil {
		return "", "", err
	}
	name, saw, err = w.ask(c)
	return name, saw, errors.Join(err, c.Close())
}

// open makes a connection, or what stands for one over UDP.
func (w *world) open(ctx context.Context, from *kernel.Namespace, own netip.Addr, to netip.AddrPort) (c net.Conn, err error) {
	d := net.Dialer{Timeout: 5 * time.Second}
	switch local := netip.AddrPortFrom(own, 0); {
	case !own.IsValid():
	case w.facts.Transport == "udp":
		d.LocalAddr = net.UDPAddrFromAddrPort(local)
	default:
		d.LocalAddr = net.TCPAddrFromAddrPort(local)
	}
	err = from.Do(ctx, func() (err error) {
		c, err = d.DialContext(ctx, w.facts.Transport, to.String())
		return err
	})
	return c, err
}

// ask reads the answer on a connection; over UDP it asks first.
func (w *world) ask(c net.Conn) (name, saw string, err error) {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", "", err
	}
	var text []byte
	if w.facts.Transport == "udp" {
		text = make([]byte, 64)
		n := 0
		if _, err = c.Write([]byte("who is there")); err == nil {
			n, err = c.Read(text)
		}
		text = text[:n]
	} else {
		text, err = io.ReadAll(c)
	}
	name, saw, _ = strings.Cut(string(text), " ")
	return name, saw, err
}

// tally counts connections by the replica that answered, which must see this
// client's address.
func (w *world) tally(t *testing.T, from *kernel.Namespace, to netip.AddrPort, n int, saw netip.Addr) []int {
	t.Helper()
	c := make([]int, len(w.replicas))
	for range n {
		name, client, err := w.dial(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		if client != saw.String() {
			t.Fatalf("%s saw %s, want %s", name, client, saw)
		}
		for i, r := range w.replicas {
			if r.Instance == name {
				c[i]++
			}
		}
	}
	return c
}
