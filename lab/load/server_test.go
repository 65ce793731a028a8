package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// listen opens a listening socket on an address of the loopback link.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	l, err := c.Listen(context.Background(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func addressOf(l net.Listener) netip.AddrPort {
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// rawServer treats each connection as handle says, closes it afterwards, and
// ends with the test.
func rawServer(t testing.TB, handle func(c *net.TCPConn)) netip.AddrPort {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); handle(c.(*net.TCPConn)) })
		}
	})
	return addressOf(l)
}

// readRequest returns when the header of a request is read.
func readRequest(c net.Conn) (*http.Request, error) { return http.ReadRequest(bufio.NewReader(c)) }

// says is a handler that reads the request and answers with these very bytes.
func says(answer string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		if _, err := readRequest(c); err == nil {
			_, _ = io.WriteString(c, answer)
		}
	}
}

// untilGone holds a connection until the client closes it.
func untilGone(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// goServer is a server of Go's net/http that names itself as the instrumented
// one does, and counts its connections.
func goServer(t testing.TB, name string) netip.AddrPort {
	t.Helper()
	var connections atomic.Uint64
	l := listen(t, "127.0.0.1:0")
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, _ := netip.ParseAddrPort(r.RemoteAddr)
		value, err := wire.Answer{
			Instance: name, Connection: connections.Add(1), Request: 1, Client: client, Service: 7 * time.Microsecond,
		}.Encode()
		if err != nil {
			panic(err)
		}
		w.Header().Set(wire.Header, value)
		fmt.Fprintf(w, "Hello from %s\n", name)
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return addressOf(l)
}

func plan(requests, concurrency int) lab.Plan {
	p := lab.DefaultPlan()
	p.Requests, p.Concurrency, p.Timeout = requests, concurrency, 10*time.Second
	return p
}

// drive carries a plan out from the process's own namespace. It fails the test
// if the load cannot be offered, if calls of emit overlap, or if there is not
// exactly one sample for each request.
func drive(t testing.TB, p lab.Plan, to ...netip.AddrPort) []lab.Sample {
	t.Helper()
	return driveFrom(t, Local{}, p, to...)
}

func driveFrom(t testing.TB, at lab.Place, p lab.Plan, to ...netip.AddrPort) []lab.Sample {
	t.Helper()
	samples := make([]lab.Sample, p.Requests)
	seen := make([]bool, p.Requests)
	var inside atomic.Int32
	_, err := Simple{}.Drive(t.Context(), at, p, to, func(s lab.Sample) {
		if inside.Add(1) != 1 {
			t.Error("calls of emit overlap")
		}
		defer inside.Add(-1)
		if seen[s.Request] {
			t.Errorf("request %d has two samples", s.Request)
		}
		seen[s.Request], samples[s.Request] = true, s
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, ok := range seen {
		if !ok {
			t.Errorf("request %d has no sample", n)
		}
	}
	return samples
}

// allFaults fails the test unless every sample has this fault.
func allFaults(t *testing.T, samples []lab.Sample, want lab.Fault) {
	t.Helper()
	for _, s := range samples {
		if s.Fault != want {
			t.Fatalf("request %d: fault %q (%s), want %q", s.Request, s.Fault, s.Detail, want)
		}
		if (s.Detail == "") != s.OK() {
			t.Errorf("request %d: fault %q with detail %q", s.Request, s.Fault, s.Detail)
		}
		if s.Done < s.Due {
			t.Errorf("request %d: done at %s, before it was due at %s", s.Request, s.Done, s.Due)
		}
	}
}
