package load

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connection is a TCP connection of the client. It is an os.File because that
// takes over the socket as it is, where net.FileConn would duplicate it.
type connection struct {
	*os.File
	local netip.AddrPort
}

// startConnecting sends the first segment to a target and does not wait for the
// answer. Whether it fails or not, it takes the socket over. It returns what
// connect(2) says.
func startConnecting(fd int, to netip.AddrPort) (*connection, error) {
	err := unix.Connect(fd, sockaddr(to))
	if err != nil && !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
		_ = unix.Close(fd) // the error worth having is connect's
		return nil, os.NewSyscallError("connect", err)
	}
	from, err := unix.Getsockname(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("getsockname", err)
	}
	// Only now: the poller would take a socket that is not connecting for one
	// that was hung up.
	return &connection{File: os.NewFile(uintptr(fd), "tcp"), local: addrPort(from)}, nil
}

// await waits until the connection stands, has failed, or its deadline passes.
func (c *connection) await(to netip.AddrPort) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	var failed error
	err = raw.Write(func(fd uintptr) (done bool) {
		done, failed = connected(int(fd))
		return done
	})
	switch {
	case err != nil:
		return fmt.Errorf("connect: %w", err)
	case failed != nil:
		return failed
	case c.local == to:
		// Where a port of the ephemeral range has no listener, a client can be
		// given that very port and meet itself (RFC 9293, 3.5: simultaneous open).
		return fmt.Errorf("connect: nobody listens but the client itself: %w", syscall.ECONNREFUSED)
	}
	return nil
}

// connected says whether a connect(2) under way has come to its end, and to
// which.
func connected(fd int) (done bool, err error) {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return true, os.NewSyscallError("getsockopt", err)
	}
	if code != 0 {
		return true, os.NewSyscallError("connect", syscall.Errno(code))
	}
	_, err = unix.Getpeername(fd)
	if errors.Is(err, unix.ENOTCONN) {
		return false, nil
	}
	return true, os.NewSyscallError("getpeername", err)
}

// awaitClose waits, for a limited time, until the server closes, and says
// whether it did. Whoever closes first keeps the connection's addresses busy
// for a minute (TIME-WAIT, RFC 9293, 3.6.1); if that is the client, it runs out
// of ports after some ten thousand requests.
func (c *connection) awaitClose(limit time.Duration) bool {
	if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return false
	}
	var excess [512]byte
	for {
		if _, err := c.Read(excess[:]); err != nil {
			return !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// sockaddr is made anew for each call: x/sys/unix writes into it.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	zone, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32) // checked before the load
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16(), ZoneId: uint32(zone)}
}

func addrPort(from unix.Sockaddr) netip.AddrPort {
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		addr := netip.AddrFrom16(a.Addr)
		if a.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(a.ZoneId), 10))
		}
		return netip.AddrPortFrom(addr, uint16(a.Port))
	}
	return netip.AddrPort{}
}
