package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
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

// inherit takes listening TCP sockets with which the process was started, n
// from firstInherited on. It takes all of them or, where one is something
// else, none. What it takes is closed at an exec, and no longer at the file
// descriptor where it was. The error wraps [ErrConfig].
func inherit(n uint16) (_ []net.Listener, err error) {
	var open []net.Listener
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: LISTEN_FDS=%d: %w; start the program with as many listening TCP sockets from file descriptor %d on, or unset LISTEN_FDS",
				ErrConfig, n, errors.Join(err, closeAll(open)), firstInherited)
		}
	}()
	for i := range int(n) {
		if err := inheritable(firstInherited + i); err != nil {
			return nil, err
		}
	}
	for i := range int(n) {
		l, err := take(firstInherited + i)
		if err != nil {
			return nil, fmt.Errorf("file descriptor %d: %w", firstInherited+i, err)
		}
		open = append(open, l)
	}
	return open, nil
}

// inheritable says what is wrong with a file descriptor that is to be a
// listening TCP socket. MPTCP is not TCP; see listenOne.
func inheritable(fd int) error {
	var is struct{ domain, protocol, listening int }
	for _, o := range []struct {
		name  int
		value *int
	}{{unix.SO_DOMAIN, &is.domain}, {unix.SO_PROTOCOL, &is.protocol}, {unix.SO_ACCEPTCONN, &is.listening}} {
		var err error
		if *o.value, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, o.name); err != nil {
			return fmt.Errorf("file descriptor %d is not an open socket: %w", fd, err)
		}
	}
	switch {
	case is.domain != unix.AF_INET && is.domain != unix.AF_INET6, is.protocol != unix.IPPROTO_TCP:
		return fmt.Errorf("file descriptor %d is a socket, but not of TCP (address family %d, protocol %d)", fd, is.domain, is.protocol)
	case is.listening == 0:
		return fmt.Errorf("file descriptor %d is a TCP socket that does not listen", fd)
	}
	return nil
}

// take makes a listener of a socket. It closes the file descriptor, since
// [net.FileListener] makes another that is closed at an exec.
func take(fd int) (net.Listener, error) {
	f := os.NewFile(uintptr(fd), "inherited socket")
	defer f.Close()
	return net.FileListener(f)
}
