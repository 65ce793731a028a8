package load

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

var (
	_ lab.Driver = Simple{}
	_ lab.Place  = Local{}
)

func TestEveryRequestGivesOneSampleOnItsOwnConnection(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	to := goServer(t, "foo")
	samples := drive(t, plan(200, 8), to)
	allFaults(t, samples, "")
	clients := map[netip.AddrPort]bool{}
	connections := map[uint64]bool{}
	for i, s := range samples {
		if s.Connection != s.Request || s.Target != to || s.Instance != "foo" || s.Status != 200 {
			t.Fatalf("sample %+v", s)
		}
		if s.ReplicaSaw != s.Local || !s.Local.IsValid() {
			t.Errorf("the client is %s, and the replica saw %s", s.Local, s.ReplicaSaw)
		}
		if s.ReplicaRequest != 1 || s.Service != 7*time.Microsecond {
			t.Errorf("replica's request %d, service %s", s.ReplicaRequest, s.Service)
		}
		if s.Due >= s.Connected || s.Connected > s.FirstByte || s.FirstByte > s.Done {
			t.Errorf("phases out of order: due %s, connected %s, first byte %s, done %s", s.Due, s.Connected, s.FirstByte, s.Done)
		}
		if i > 0 && s.Due < samples[i-1].Due {
			t.Errorf("request %d was due before request %d", i, i-1)
		}
		clients[s.Local], connections[s.ReplicaConnection] = true, true
	}
	if len(connections) != 200 {
		t.Errorf("the server counted %d connections, not 200", len(connections))
	}
	if len(clients) < 2 {
		t.Error("all connections came from one port")
	}
}

func TestRequest(t *testing.T) {
	got := make(chan string, 1)
	to := rawServer(t, func(c *net.TCPConn) {
		r, err := readRequest(c)
		if err != nil {
			return
		}
		got <- r.Method + " " + r.RequestURI + " " + r.Proto + " " + r.Host + " " + r.UserAgent() + " " + r.Header.Get("Accept")
		if !r.Close {
			t.Error("the request does not ask for the connection to be closed")
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	p := plan(1, 1)
	p.Path = "/?delay=5ms"
	allFaults(t, drive(t, p, to), "")
	if want := "GET /?delay=5ms HTTP/1.1 " + to.String() + " portlab */*"; <-got != want {
		t.Errorf("want request %q", want)
	}
}

func TestIPv6(t *testing.T) {
	c, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback})
	labtest.Require(t, "ipv6", err == nil, "no listening socket on ::1")
	t.Cleanup(func() { c.Close() })
	go func() {
		if conn, err := c.Accept(); err == nil {
			says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(conn.(*net.TCPConn))
			conn.Close()
		}
	}()
	samples := drive(t, plan(1, 1), addressOf(c))
	allFaults(t, samples, "")
	if samples[0].Local.Addr() != netip.IPv6Loopback() {
		t.Errorf("the client is %s", samples[0].Local)
	}
}

// TestWorkersAreConcurrent has a server that answers nobody until all are there.
func TestWorkersAreConcurrent(t *testing.T) {
	const workers = 40
	var here atomic.Int32
	all := make(chan struct{})
	to := rawServer(t, func(c *net.TCPConn) {
		if _, err := readRequest(c); err != nil {
			return
		}
		if here.Add(1) == workers {
			close(all)
		}
		<-all
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	t.Cleanup(sync.OnceFunc(func() {
		if here.Load() < workers {
			close(all)
		}
	}))
	allFaults(t, drive(t, plan(workers, workers), to), "")
}

func TestNeverMoreAtATimeThanWorkers(t *testing.T) {
	const workers = 3
	var now, most atomic.Int32
	to := rawServer(t, func(c *net.TCPConn) {
		n := now.Add(1)
		for m := most.Load(); n > m; m = most.Load() {
			if most.CompareAndSwap(m, n) {
				break
			}
		}
		_, err := readRequest(c)
		time.Sleep(time.Millisecond)
		now.Add(-1)
		if err == nil {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	allFaults(t, drive(t, plan(60, workers), to), "")
	if most.Load() > workers {
		t.Errorf("%d requests at a time from %d workers", most.Load(), workers)
	}
}

func TestCancelCutsOffAndReturnsSoon(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	const served = 5
	var count atomic.Int32
	full := make(chan struct{})
	to := rawServer(t, func(c *net.TCPConn) {
		if _, err := readRequest(c); err != nil {
			return
		}
		switch n := count.Add(1); {
		case n <= served:
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return
		case n == served+4:
			close(full) // all workers hang now
		}
		untilGone(c)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-full; cancel() }()
	p := plan(1000, 4)
	p.Timeout = time.Hour // only the cancellation can end it
	var samples []lab.Sample
	_, err := Simple{}.Drive(ctx, Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) { samples = append(samples, s) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if len(samples) != served {
		t.Errorf("%d samples, want the %d of the requests that were answered", len(samples), served)
	}
	allFaults(t, samples, "")
}

func TestCancelledBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Simple{}.Drive(ctx, Local{}, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) { t.Error("a sample") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestPlaceThatCannotBeEntered(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	_, err := Simple{}.Drive(t.Context(), closedPlace{}, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) { t.Error("a sample") })
	if !errors.Is(err, errClosedPlace) {
		t.Errorf("error %v", err)
	}
}

var errClosedPlace = errors.New("the namespace is gone")

type closedPlace struct{ Local }

func (closedPlace) Do(context.Context, func() error) error { return errClosedPlace }

func TestUsageErrors(t *testing.T) {
	good := netip.MustParseAddrPort("127.0.0.1:80")
	tests := map[string]struct {
		path string
		to   []netip.AddrPort
	}{
		"no target":          {"/", nil},
		"no port":            {"/", []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		"invalid address":    {"/", []netip.AddrPort{{}}},
		"two IP versions":    {"/", []netip.AddrPort{good, netip.MustParseAddrPort("[::1]:80")}},
		"zone with a name":   {"/", []netip.AddrPort{netip.MustParseAddrPort("[fe80::1%eth0]:80")}},
		"no path":            {"", []netip.AddrPort{good}},
		"path with a space":  {"/a b", []netip.AddrPort{good}},
		"path with a header": {"/\r\nX: y", []netip.AddrPort{good}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(1, 1)
			p.Path = test.path
			_, err := Simple{}.Drive(t.Context(), Local{}, p, test.to, func(lab.Sample) { t.Error("a sample") })
			if _, usage := errors.AsType[*lab.UsageError](err); !usage {
				t.Errorf("error %v, want a usage error", err)
			}
		})
	}
}
