package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// opened are the sockets of a server.
type opened struct {
	streams   []net.Listener
	datagrams []*net.UDPConn
}

func (o *opened) close() error { return errors.Join(closeAll(o.streams), closeAll(o.datagrams)) }

// addresses are those of the listeners or, where there are none, of the UDP
// sockets.
func (o *opened) addresses() []netip.AddrPort {
	if len(o.streams) == 0 {
		return addressesOf(o.datagrams, (*net.UDPConn).LocalAddr)
	}
	return addressesOf(o.streams, net.Listener.Addr)
}

// listen opens TCP listeners, and UDP sockets beside them if they are wanted.
// An address with port 0 gets the port of the address before it or, as the
// first, one that the kernel picks. Either all are open afterwards or none is.
func listen(ctx context.Context, at []netip.AddrPort, reusePort, datagrams bool) (_ *opened, err error) {
	open := new(opened)
	defer func() {
		if err != nil {
			err = errors.Join(err, open.close())
		}
	}()
	var last uint16
	for _, a := range at {
		if a.Port() == 0 {
			a = netip.AddrPortFrom(a.Addr(), last)
		}
		l, err := listenOne(ctx, a, reusePort)
		if err != nil {
			return nil, err
		}
		open.streams = append(open.streams, l)
		a = addressOf(l.Addr())
		last = a.Port()
		if !datagrams {
			continue
		}
		u, err := bindOne(ctx, a, reusePort)
		if err != nil {
			return nil, err
		}
		open.datagrams = append(open.datagrams, u)
	}
	return open, nil
}

func listenOne(ctx context.Context, at netip.AddrPort, reusePort bool) (net.Listener, error) {
	var lc net.ListenConfig
	// Go listens with MPTCP (RFC 8684) by default. Its handshake and its
	// socket differ from TCP's, and TCP is what is measured.
	lc.SetMultipathTCP(false)
	if reusePort {
		lc.Control = setReusePort
	}
	l, err := lc.Listen(ctx, "tcp"+version(at), at.String())
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, remedy(err))
	}
	return l, nil
}

// bindOne opens a UDP socket.
func bindOne(ctx context.Context, at netip.AddrPort, reusePort bool) (*net.UDPConn, error) {
	var lc net.ListenConfig
	if reusePort {
		lc.Control = setReusePort
	}
	c, err := lc.ListenPacket(ctx, "udp"+version(at), at.String())
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, remedy(err))
	}
	return c.(*net.UDPConn), nil
}

// version ends the name of a network. "tcp6" and not "tcp" sets IPV6_V6ONLY, so
// that 0.0.0.0 and [::] can have the same port.
func version(at netip.AddrPort) string {
	if at.Addr().Is6() {
		return "6"
	}
	return "4"
}

// setReusePort sets SO_REUSEPORT (socket(7)) before bind(2), which is when
// the kernel looks at it.
func setReusePort(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	if err == nil && failed != nil {
		err = fmt.Errorf("set SO_REUSEPORT: %w", failed)
	}
	return err
}

// remedy says, after what the system said, what to do about a failed listen.
func remedy(err error) string {
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return "; `ss -lntup` shows who listens there: end it, choose another port, or have all its sockets set SO_REUSEPORT"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "; no interface of this network namespace has that address: `ip address` shows those there are"
	case errors.Is(err, unix.EAFNOSUPPORT):
		return "; IPv6 is switched off in this kernel: listen on IPv4 addresses alone"
	case errors.Is(err, unix.EACCES):
		return "; a port under net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE: choose a higher one"
	}
	return ""
}

func closeAll[C io.Closer](open []C) error {
	var errs []error
	for _, l := range open {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// addressOf is an address of TCP or UDP.
func addressOf(a net.Addr) netip.AddrPort {
	return a.(interface{ AddrPort() netip.AddrPort }).AddrPort()
}

func addressesOf[S any](open []S, address func(S) net.Addr) []netip.AddrPort {
	all := make([]netip.AddrPort, len(open))
	for i, s := range open {
		all[i] = addressOf(address(s))
	}
	return all
}

// join writes addresses for people.
func join(all []netip.AddrPort) string {
	words := make([]string, len(all))
	for i, a := range all {
		words[i] = a.String()
	}
	return strings.Join(words, ", ")
}
