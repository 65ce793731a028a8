package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstInherited is the first file descriptor after the standard streams:
// SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstInherited = 3

// inherited reads how many listening sockets are handed over to the process
// with this id: the values of LISTEN_FDS and LISTEN_PID.
func inherited(count, owner string, pid int) (uint16, error) {
	if count == "" {
		return 0, nil
	}
	// A parent that uses one call to fork and execute, as os/exec does, has no
	// moment at which it could write the child's id into its environment.
	// systemd writes it in between. So one that is missing says nothing.
	if owner != "" {
		n, err := strconv.Atoi(owner)
		if err != nil || n <= 0 {
			return 0, fmt.Errorf("LISTEN_PID must be the id of the process that is to take the sockets, not %q; or unset it", owner)
		}
		if n != pid {
			return 0, nil
		}
	}
	n, err := strconv.ParseUint(count, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("LISTEN_FDS must be how many listening sockets are handed over from file descriptor %d on, not %q; or unset it",
			firstInherited, count)
	}
	return uint16(n), nil
}

// inherit takes sockets with which the process was started, n from
// firstInherited on: listening ones of TCP and, where datagrams are wanted, at
// least one of UDP. It takes all of them or, where one is something else, none.
// What it takes is closed at an exec, and no longer at the file descriptor
// where it was. The error wraps [ErrConfig].
func inherit(n uint16, datagrams bool) (_ *opened, err error) {
	open, wanted := new(opened), "listening TCP"
	if datagrams {
		wanted = "UDP or listening TCP"
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: LISTEN_FDS=%d: %w; start the program with as many %s sockets from file descriptor %d on, or unset LISTEN_FDS",
				ErrConfig, n, errors.Join(err, open.close()), wanted, firstInherited)
		}
	}()
	protocols := make([]int, n)
	for i := range protocols {
		if protocols[i], err = inheritable(firstInherited+i, datagrams); err != nil {
			return nil, err
		}
	}
	if datagrams && !slices.Contains(protocols, unix.IPPROTO_UDP) {
		return nil, errors.New("with PROTOCOL=udp one of them must be a UDP socket")
	}
	for i, p := range protocols {
		if err := open.take(firstInherited+i, p); err != nil {
			return nil, fmt.Errorf("file descriptor %d: %w", firstInherited+i, err)
		}
	}
	return open, nil
}

// inheritable gives the protocol of a socket, or says what is wrong with a file
// descriptor that is to be one of those that are wanted. MPTCP is not TCP; see
// listenOne.
func inheritable(fd int, datagrams bool) (protocol int, _ error) {
	var is struct{ domain, protocol, listening int }
	for _, o := range []struct {
		name  int
		value *int
	}{{unix.SO_DOMAIN, &is.domain}, {unix.SO_PROTOCOL, &is.protocol}, {unix.SO_ACCEPTCONN, &is.listening}} {
		var err error
		if *o.value, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, o.name); err != nil {
			return 0, fmt.Errorf("file descriptor %d is not an open socket: %w", fd, err)
		}
	}
	internet := is.domain == unix.AF_INET || is.domain == unix.AF_INET6
	switch {
	case internet && datagrams && is.protocol == unix.IPPROTO_UDP:
	case !internet || is.protocol != unix.IPPROTO_TCP:
		return 0, fmt.Errorf("file descriptor %d is a socket, but not of TCP (address family %d, protocol %d)", fd, is.domain, is.protocol)
	case is.listening == 0:
		return 0, fmt.Errorf("file descriptor %d is a TCP socket that does not listen", fd)
	}
	return is.protocol, nil
}

// take takes a socket over. It closes the file descriptor, since package net
// makes another that is closed at an exec.
func (o *opened) take(fd, protocol int) error {
	f := os.NewFile(uintptr(fd), "inherited socket")
	defer f.Close()
	if protocol == unix.IPPROTO_UDP {
		c, err := net.FilePacketConn(f)
		if err != nil {
			return err
		}
		o.datagrams = append(o.datagrams, c.(*net.UDPConn))
		return nil
	}
	l, err := net.FileListener(f)
	if err != nil {
		return err
	}
	o.streams = append(o.streams, l)
	return nil
}
