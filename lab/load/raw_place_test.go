package load

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

func TestRawSocketsBelongToThePlace(t *testing.T) {
	n := newNamespace(t)
	l := listenInside(t, n)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			says(empty200)(c.(*net.TCPConn))
			c.Close()
		}
	}()
	samples, _ := driveRaw(t, Raw{Threads: 1}, n, plan(100, 16), addressOf(l))
	allFaults(t, samples, "")
	// What listens in the process's own namespace is not there for the client.
	samples, _ = driveRaw(t, Raw{Threads: 1}, n, plan(1, 1), goServer(t, "outside"))
	allFaults(t, samples, lab.Refused)
	samples, _ = driveRaw(t, Raw{Threads: 1}, n, plan(3, 1), netip.MustParseAddrPort("198.18.0.1:80"))
	allFaults(t, samples, lab.Unreachable)
}

// portRange leaves a namespace these local ports.
func portRange(t *testing.T, n *namespace, text string) {
	t.Helper()
	err := n.Do(t.Context(), func() error {
		return os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte(text), 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRawRunsOutOfPorts leaves the client two ports, and nobody answers: two
// requests wait, and the third finds no port. It is named, and the client rests
// instead of trying without a pause.
func TestRawRunsOutOfPorts(t *testing.T) {
	n := newNamespace(t)
	l := listenInside(t, n)
	portRange(t, n, "40000 40001")
	p := plan(8, 3)
	p.Timeout = 300 * time.Millisecond
	samples, client := driveRaw(t, Raw{Threads: 1}, n, p, addressOf(l))
	var limits []lab.Sample
	for _, s := range samples {
		if s.Fault == lab.ClientLimit {
			limits = append(limits, s)
			if !strings.Contains(s.Detail, "there are 2 from one client address") || !strings.Contains(s.Detail, "TIME_WAIT") {
				t.Errorf("detail %q", s.Detail)
			}
		} else if s.Fault != lab.ReadTimeout {
			t.Errorf("fault %q: %s", s.Fault, s.Detail)
		}
	}
	if client.Ports != 2 || len(limits) == 0 || len(limits) == len(samples) {
		t.Errorf("%d ports, and %d of %d requests without one", client.Ports, len(limits), len(samples))
	}
	for i, s := range limits[1:] {
		if pause := s.Begun - limits[i].Done; pause < minRest {
			t.Errorf("request %d began %s after the fault before", s.Request, pause)
		}
	}
}

// TestMoreClientsHaveMorePorts: two ports to each address, and two addresses.
func TestMoreClientsHaveMorePorts(t *testing.T) {
	n := newNamespace(t)
	l := listenInside(t, n)
	portRange(t, n, "40000 40001")
	p := plan(4, 4)
	p.Clients, p.Timeout = 2, 100*time.Millisecond
	samples, _ := driveRaw(t, Raw{Threads: 1}, sourcesIn{n}, p, addressOf(l))
	allFaults(t, samples, lab.ReadTimeout) // and not of the client's own
}

// sourcesIn is a namespace whose clients may use the addresses of its loopback link.
type sourcesIn struct{ *namespace }

func (sourcesIn) Sources() []netip.Addr { return Local{}.Sources() }

func TestRawDoesNotTakeItselfForAServer(t *testing.T) {
	n := newNamespace(t)
	portRange(t, n, "40000 40000")
	samples, _ := driveRaw(t, Raw{Threads: 1}, n, plan(1, 1), netip.MustParseAddrPort("127.0.0.1:40000"))
	allFaults(t, samples, lab.Refused)
}

// TestRawWithoutDescriptors leaves the loop the two that it waits with, and
// finds that each request fails as the client's own fault, after a rest.
func TestRawWithoutDescriptors(t *testing.T) {
	to := goServer(t, "foo")
	allFaults(t, raw(t, plan(1, 1), to), "") // so that the server waits in its accept
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	var free [3]int
	for i := range free {
		var err error
		if free[i], err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, fd := range free {
		unix.Close(fd)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free[2]), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	restore := sync.OnceFunc(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	defer restore()
	samples := raw(t, plan(4, 1), to)
	restore()
	allFaults(t, samples, lab.ClientLimit)
	for i, s := range samples[1:] {
		if pause := s.Begun - samples[i].Done; pause < minRest<<i || !strings.Contains(s.Detail, "ulimit -n") {
			t.Errorf("request %d began %s after the fault before: %s", s.Request, pause, s.Detail)
		}
	}
	allFaults(t, raw(t, plan(4, 1), to), "")
}

func TestClientsTakeTurns(t *testing.T) {
	to, datagrams := goServer(t, "foo"), datagramServer(t, answerDatagram)
	for _, p := range []lab.Plan{plan(12, 4), datagramPlan(12, 4, 1, 1)} {
		p.Clients = 5
		target := to
		if p.Protocol == lab.UDP {
			target = datagrams
		}
		samples := raw(t, p, target)
		allFaults(t, samples, "")
		for _, s := range samples {
			want := netip.AddrFrom4([4]byte{127, 0, 0, byte(s.Connection%5 + 1)})
			if s.Local.Addr() != want || s.ReplicaSaw != s.Local {
				t.Errorf("connection %d is from %s, seen as %s, want %s", s.Connection, s.Local, s.ReplicaSaw, want)
			}
		}
	}
}

func TestMoreClientsThanThePlaceHas(t *testing.T) {
	p := plan(1, 1)
	p.Clients = 2
	tests := map[string]struct {
		at     lab.Place
		target string
	}{
		"a place of one address":            {closedPlace{}, "127.0.0.1:80"},
		"IPv6 on the loopback link":         {Local{}, "[::1]:80"},
		"a target beyond the loopback link": {Local{}, "192.0.2.1:80"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			at := test.at
			if _, closed := at.(closedPlace); closed {
				at = struct{ lab.Place }{at}
			}
			_, err := Raw{}.Drive(t.Context(), at, p, []netip.AddrPort{netip.MustParseAddrPort(test.target)}, func(lab.Sample) { t.Error("a sample") })
			if !errors.Is(err, lab.ErrUnsupported) || !strings.Contains(err.Error(), "2 client addresses") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestRawOverIPv6(t *testing.T) {
	l, err := net.ListenTCP("tcp6", &net.TCPAddr{IP: net.IPv6loopback})
	labtest.Require(t, "ipv6", err == nil, "no listening socket on ::1")
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			says(empty200)(c.(*net.TCPConn))
			c.Close()
		}
	}()
	samples := raw(t, plan(4, 2), addressOf(l))
	allFaults(t, samples, "")
	for _, s := range samples {
		if s.Local.Addr() != netip.IPv6Loopback() || s.Local.Port() == 0 {
			t.Errorf("the client is %s", s.Local)
		}
	}
}

func TestRawUsageErrors(t *testing.T) {
	good := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}
	tests := map[string]struct {
		driver Raw
		change func(*lab.Plan)
		to     []netip.AddrPort
	}{
		"no target":            {Raw{}, unchanged, nil},
		"no port":              {Raw{}, unchanged, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}},
		"two IP versions":      {Raw{}, unchanged, append(good, netip.MustParseAddrPort("[::1]:80"))},
		"another protocol":     {Raw{}, func(p *lab.Plan) { p.Protocol = lab.WebSocket }, good},
		"a host with a header": {Raw{}, func(p *lab.Plan) { p.Host = "a\r\nX: y" }, good},
		"a path with a space":  {Raw{}, func(p *lab.Plan) { p.Path = "/a b" }, good},
		"a plan without end":   {Raw{}, func(p *lab.Plan) { p.Requests = 0 }, good},
		"threads below none":   {Raw{Threads: -1}, unchanged, good},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(1, 1)
			test.change(&p)
			_, err := test.driver.Drive(t.Context(), Local{}, p, test.to, func(lab.Sample) { t.Error("a sample") })
			if _, usage := errors.AsType[*lab.UsageError](err); !usage {
				t.Errorf("error %v, want a usage error", err)
			}
		})
	}
}
