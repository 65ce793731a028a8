package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen opens TCP listeners. An address with port 0 gets the port of the
// address before it or, as the first, one that the kernel picks. Either all
// are open afterwards or none is.
func listen(ctx context.Context, at []netip.AddrPort, reusePort bool) (_ []net.Listener, err error) {
	var open []net.Listener
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(open))
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
		open = append(open, l)
		last = addressOf(l).Port()
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
	// "tcp6" and not "tcp": that sets IPV6_V6ONLY, so that 0.0.0.0 and [::]
	// can have the same port.
	network := "tcp4"
	if at.Addr().Is6() {
		network = "tcp6"
	}
	l, err := lc.Listen(ctx, network, at.String())
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, remedy(err))
	}
	return l, nil
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
		return "; `ss -ltnp` shows who listens there: end it, choose another port, or have all its listeners set SO_REUSEPORT"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return "; no interface of this network namespace has that address: `ip address` shows those there are"
	case errors.Is(err, unix.EAFNOSUPPORT):
		return "; IPv6 is switched off in this kernel: listen on IPv4 addresses alone"
	case errors.Is(err, unix.EACCES):
		return "; a port under net.ipv4.ip_unprivileged_port_start needs CAP_NET_BIND_SERVICE: choose a higher one"
	}
	return ""
}

func closeAll(open []net.Listener) error {
	var errs []error
	for _, l := range open {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// addressOf is where a listener of [listen] listens.
func addressOf(l net.Listener) netip.AddrPort { return l.Addr().(*net.TCPAddr).AddrPort() }

func addressesOf(open []net.Listener) []netip.AddrPort {
	all := make([]netip.AddrPort, len(open))
	for i, l := range open {
		all[i] = addressOf(l)
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
