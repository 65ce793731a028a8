package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Listen makes a socket in a namespace, to be inherited by a process: of TCP a
// listening one, of UDP a bound one. It returns an [lab.RefusedError] that says
// who has the port if it is in use.
func Listen(ctx context.Context, ns *Namespace, s lab.Socket) (*os.File, error) {
	transport := cmp.Or(s.Transport, "tcp")
	var file *os.File
	err := ns.Do(ctx, func() (err error) {
		if transport == "udp" {
			file, err = bindUDP(ctx, s)
		} else {
			file, err = listenTCP(ctx, s)
		}
		return err
	})
	what := "listen on " + s.Address.String()
	if errors.Is(err, unix.EADDRINUSE) {
		return nil, inUse(ctx, ns, what, transport, s.Address.Port(), err)
	}
	if err != nil {
		return nil, privileged(what, err)
	}
	return file, nil
}

// listenTCP gives a duplicate of a listener, which goes on listening when the
// listener is closed.
func listenTCP(ctx context.Context, s lab.Socket) (*os.File, error) {
	config := shared(s)
	config.SetMultipathTCP(false) // Go's default is MPTCP, which has a data path of its own
	l, err := config.Listen(ctx, "tcp"+suffix(s), s.Address.String())
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}

// bindUDP is listenTCP for datagrams.
func bindUDP(ctx context.Context, s lab.Socket) (*os.File, error) {
	config := shared(s)
	c, err := config.ListenPacket(ctx, "udp"+suffix(s), s.Address.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*net.UDPConn).File()
}

// suffix is that of Go's name of a network of the socket's IP version.
func suffix(s lab.Socket) string {
	if s.Address.Addr().Is6() {
		return "6"
	}
	return "4"
}

// shared sets SO_REUSEPORT before bind(2), where it is asked for.
func shared(s lab.Socket) net.ListenConfig {
	return net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		if !s.ReusePort {
			return nil
		}
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}), err)
	}}
}

// inUse is the refusal of a port that another process has, and says which.
func inUse(ctx context.Context, ns *Namespace, what, transport string, port uint16, err error) error {
	owners, _ := WhoListens(ctx, ns, transport, port) // without an answer the refusal stands
	if len(owners) > 0 {
		names := make([]string, len(owners))
		for i, o := range owners {
			names[i] = o.String()
		}
		err = fmt.Errorf("%w: port %d belongs to %s", err, port, strings.Join(names, " and "))
	}
	return &lab.RefusedError{What: what, Err: err}
}

// A program that cannot bind says so in words of its own; all of them have
// strerror(3)'s in it, and the address before it or behind.
var (
	saysInUse = regexp.MustCompile(`(?im)^.*address already in use.*$`)
	saysPort  = regexp.MustCompile(`[\d.\]*]:(\d{1,5})\b`)
)

// portInUse finds, in a program's output, the port that it could not bind.
// Known is false if the output names none.
func portInUse(output string) (port uint16, inUse, known bool) {
	line := saysInUse.FindString(output)
	if line == "" {
		return 0, false, false
	}
	if m := saysPort.FindStringSubmatch(line); m != nil {
		if n, err := strconv.ParseUint(m[1], 10, 16); err == nil {
			return uint16(n), true, true
		}
	}
	return 0, true, false
}
