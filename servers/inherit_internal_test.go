package servers

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// socket is a file descriptor of a new socket.
func socket(t *testing.T, family, kind, protocol int) int {
	t.Helper()
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// listenOn has a socket of IPv4 listen on a port that the kernel picks.
func listenOn(t *testing.T, fd int) {
	t.Helper()
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyListeningTCPSocketsCanBeInherited(t *testing.T) {
	file, err := os.Open(".")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	listening := socket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	listenOn(t, listening)
	for name, c := range map[string]struct {
		fd   int
		want string // "": it can be inherited
	}{
		"nothing":       {-1, unix.EBADF.Error()},
		"folder":        {int(file.Fd()), unix.ENOTSOCK.Error()},
		"local socket":  {socket(t, unix.AF_UNIX, unix.SOCK_STREAM, 0), "not of TCP (address family 1,"},
		"UDP socket":    {socket(t, unix.AF_INET, unix.SOCK_DGRAM, 0), "not of TCP (address family 2, protocol 17)"},
		"idle socket":   {socket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP), "does not listen"},
		"listening one": {listening, ""},
	} {
		_, err := inheritable(c.fd, false)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestUDPSocketsCanBeInheritedForDatagrams(t *testing.T) {
	for name, c := range map[string]struct {
		fd   int
		want string // "": it can be inherited
	}{
		"UDP socket":          {socket(t, unix.AF_INET, unix.SOCK_DGRAM, 0), ""},
		"UDP socket of IPv6":  {socket(t, unix.AF_INET6, unix.SOCK_DGRAM, 0), ""},
		"local datagrams":     {socket(t, unix.AF_UNIX, unix.SOCK_DGRAM, 0), "not of TCP (address family 1,"},
		"idle socket of TCP":  {socket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP), "does not listen"},
		"UDP-Lite datagrams ": {socket(t, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE), "protocol 136"},
	} {
		_, err := inheritable(c.fd, true)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestMPTCPSocketIsNotInherited(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		t.Skipf("this kernel has no MPTCP: %v", err)
	}
	defer unix.Close(fd)
	listenOn(t, fd)
	if _, err := inheritable(fd, true); err == nil || !strings.Contains(err.Error(), "protocol 262") {
		t.Errorf("an MPTCP socket: %v", err)
	}
}
