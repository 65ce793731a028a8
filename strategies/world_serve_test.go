package strategies

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// serve has a replica answer each connection, or each datagram, with its name
// and the client's address. Those of one namespace share the port.
func (w *world) serve(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	if w.shared && slices.Contains(w.peers, ns) {
		r.Address = w.front.At(lab.External)
	}
	if w.facts.Transport == "udp" {
		w.serveUDP(t, ns, r)
	} else {
		w.serveTCP(t, ns, r)
	}
}

// sharing is how to listen on a port that others listen on, too.
func sharing() net.ListenConfig {
	return net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var set error
		err := c.Control(func(fd uintptr) {
			set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, set)
	}}
}

func (w *world) serveUDP(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	var c net.PacketConn
	share := sharing()
	err := ns.Do(t.Context(), func() (err error) {
		c, err = share.ListenPacket(t.Context(), "udp", r.Address.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	go func() {
		question := make([]byte, 64)
		for {
			_, from, err := c.ReadFrom(question)
			if err != nil {
				return
			}
			saw := from.(*net.UDPAddr).AddrPort().Addr().Unmap()
			if _, err := fmt.Fprintf(answerer{c, from}, "%s %s", r.Instance, saw); err != nil {
				t.Error(err)
			}
		}
	}()
}

// answerer sends datagrams to one address.
type answerer struct {
	c  net.PacketConn
	to net.Addr
}

func (a answerer) Write(p []byte) (int, error) { return a.c.WriteTo(p, a.to) }

func (w *world) serveTCP(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	var l net.Listener
	share := sharing()
	err := ns.Do(t.Context(), func() (err error) {
		l, err = share.Listen(t.Context(), "tcp", r.Address.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closing(t, l)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
			_, err = fmt.Fprintf(c, "%s %s", r.Instance, from)
			if err := errors.Join(err, c.Close()); err != nil {
				t.Error(err)
			}
		}
	}()
}
