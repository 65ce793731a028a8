package load

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// The main thread stays with the main goroutine, which runs no test: whatever
// looks at /proc/self sees the main thread's namespaces, so that thread must
// never be the one that goes elsewhere.
func init() { runtime.LockOSThread() }

// namespace is a place in a fresh network namespace with its loopback link up.
// Functions run one at a time on its one thread.
type namespace struct{ run chan func() }

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	n := &namespace{run: make(chan func())}
	made := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopbackUp()
		}
		made <- err
		for f := range n.run {
			f()
		}
	}()
	t.Cleanup(func() { close(n.run) })
	err := <-made
	labtest.Require(t, "root", err == nil, fmt.Sprintf("cannot make a network namespace: %v", err))
	return n
}

// Do implements lab.Place.
func (n *namespace) Do(_ context.Context, f func() error) error {
	done := make(chan error, 1)
	n.run <- func() { done <- f() }
	return <-done
}

// Shell implements lab.Place.
func (n *namespace) Shell() string { return "" }

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// listenInside opens a listening socket in the namespace; serve as usual.
func listenInside(t *testing.T, n *namespace) net.Listener {
	t.Helper()
	var l net.Listener
	if err := n.Do(t.Context(), func() error { l = listen(t, "127.0.0.1:0"); return nil }); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSocketsBelongToThePlace(t *testing.T) {
	n := newNamespace(t)
	l := listenInside(t, n)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c.(*net.TCPConn))
			c.Close()
		}
	}()
	// More requests than sockets are made ahead, by more workers than threads.
	allFaults(t, driveFrom(t, n, plan(8*socketsAhead, 16), addressOf(l)), "")
	// What listens in the process's own namespace is not there for the client.
	allFaults(t, driveFrom(t, n, plan(1, 1), goServer(t, "outside")), lab.Refused)
}

func TestUnreachable(t *testing.T) {
	n := newNamespace(t) // which knows no way but to itself
	allFaults(t, driveFrom(t, n, plan(3, 1), netip.MustParseAddrPort("198.18.0.1:80")), lab.Unreachable)
}

// TestNoPorts leaves the client two ports for three connections at a time.
func TestNoPorts(t *testing.T) {
	n := newNamespace(t)
	l := listenInside(t, n)
	err := n.Do(t.Context(), func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40001"), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	p := plan(3, 3)
	p.Timeout = 300 * time.Millisecond // nobody accepts: two wait for an answer
	counts := map[lab.Fault]int{}
	for _, s := range driveFrom(t, n, p, addressOf(l)) {
		counts[s.Fault]++
	}
	if counts[lab.ClientLimit] != 1 || counts[lab.ReadTimeout] != 2 {
		t.Errorf("faults %v, want 1 of the client's own and 2 read timeouts", counts)
	}
}

// TestClientDoesNotTakeItselfForAServer leaves the client no port but the one
// it dials.
func TestClientDoesNotTakeItselfForAServer(t *testing.T) {
	n := newNamespace(t)
	err := n.Do(t.Context(), func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40000"), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	allFaults(t, driveFrom(t, n, plan(1, 1), netip.MustParseAddrPort("127.0.0.1:40000")), lab.Refused)
}
