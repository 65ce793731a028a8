package servers_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// hand starts a child with listening sockets from file descriptor 3 on, and
// closes them here, so that they are the child's alone.
func hand(t *testing.T, child string, sockets []*net.TCPListener, env ...string) (*exec.Cmd, *buffer) {
	t.Helper()
	cmd, log := reexec(t, child, env...)
	for _, l := range sockets {
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		defer l.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, log
}

// end tells a child to end, and wants status 0 of it.
func end(t *testing.T, cmd *exec.Cmd, log *buffer) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v and logged %s", err, log)
	}
}

// tcp is a listening TCP socket at an address.
func tcp(t *testing.T, at string) *net.TCPListener {
	t.Helper()
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	lc.Control = func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		if err != nil {
			return err
		}
		return failed
	}
	l, err := lc.Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

func TestInheritsSocketsOfBothFamilies(t *testing.T) {
	requireIPv6(t)
	four, six := tcp(t, "127.0.0.1:0"), tcp(t, "[::1]:0")
	at := []string{four.Addr().String(), six.Addr().String()}
	// 192.0.2.1 (TEST-NET-1, RFC 5737) is not here: whoever listens there fails.
	cmd, log := hand(t, "serve", []*net.TCPListener{four, six}, "INSTANCE=foo", "LISTEN_FDS=2", "HOST=192.0.2.1", "PORT=http")
	log.await(t, "listening on "+at[0]+", "+at[1]+"\n")
	for _, address := range at {
		resp, _ := dial(t, address).get("/")
		a := answerOf(t, resp)
		if want := netip.MustParseAddrPort(address).Addr(); a.Instance != "foo" || a.Client.Addr() != want {
			t.Errorf("%s was answered by %s to %s, want foo to %s", address, a.Instance, a.Client, want)
		}
	}
	end(t, cmd, log)
}

func TestInheritedSocketsDrain(t *testing.T) {
	l := tcp(t, "127.0.0.1:0")
	at := l.Addr().String()
	cmd, log := hand(t, "serve", []*net.TCPListener{l}, "INSTANCE=foo", "LISTEN_FDS=1", "DRAIN_TIMEOUT=20s")
	resp := dial(t, at).ask(big)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "new connections to be refused", refused(at))
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != resp.ContentLength {
		t.Errorf("read %d bytes of %d, %v", n, resp.ContentLength, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v and logged %s", err, log)
	}
}

func TestInheritedReusePortSocketsShareOnePort(t *testing.T) {
	for family, at := range map[string]string{"ipv4": "127.0.0.1:0", "ipv6": "[::1]:0"} {
		t.Run(family, func(t *testing.T) {
			if family == "ipv6" {
				requireIPv6(t)
			}
			first := tcp(t, at)
			address := first.Addr().String()
			second := tcp(t, address)
			for instance, l := range map[string]*net.TCPListener{"foo": first, "bar": second} {
				_, log := hand(t, "serve", []*net.TCPListener{l}, "INSTANCE="+instance, "LISTEN_FDS=1")
				log.await(t, "listening on "+address)
			}
			// As in TestReusePortSharesOnePort: all 64 at one of them once in 2^63.
			answered := map[string]int{}
			for range 64 {
				resp, _ := dial(t, address).get("/")
				answered[answerOf(t, resp).Instance]++
			}
			if answered["foo"] == 0 || answered["bar"] == 0 || answered["foo"]+answered["bar"] != 64 {
				t.Errorf("64 connections were answered by %v", answered)
			}
		})
	}
}

func TestSocketsForAnotherProcessAreLeft(t *testing.T) {
	l := tcp(t, "127.0.0.1:0")
	at := l.Addr().String()
	cmd, log := hand(t, "serve", []*net.TCPListener{l},
		"INSTANCE=foo", "LISTEN_FDS=1", "LISTEN_PID=1", "HOST=127.0.0.1", anyPort)
	if got := logged(t, log); got == at {
		t.Errorf("it took the socket at %s, which is for process 1", at)
	}
	end(t, cmd, log)
}

func TestInheritedSocketsAreNotHandedOn(t *testing.T) {
	cmd, log := hand(t, "exec", []*net.TCPListener{tcp(t, "127.0.0.1:0")}, "INSTANCE=foo", "LISTEN_FDS=1")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("it ended with %v and logged %s", err, log)
	}
	if list := log.String(); !strings.Contains(list, "listening on") || strings.Contains(list, "socket:") {
		t.Errorf("a program that the server starts has a socket, or there was none:\n%s", list)
	}
}

func TestWhatCannotBeInheritedIsSaid(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	cmd, log := reexec(t, "serve", "INSTANCE=foo", "LISTEN_FDS=1")
	cmd.ExtraFiles = []*os.File{read}
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("it ended with %v, want the status of a bad configuration", err)
	}
	for _, want := range []string{"LISTEN_FDS=1", "file descriptor 3", unix.ENOTSOCK.Error(), "unset LISTEN_FDS"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not in what it says: %s", want, log)
		}
	}
}
