package load

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/servers"
)

var _ lab.Driver = Streams{}

// replica is an instrumented server in this process, and ends with the test.
func replica(t testing.TB, name string, host netip.Addr) netip.AddrPort {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := servers.Listen(ctx, servers.Config{Instance: name, Hosts: []netip.Addr{host}}, discard{})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(ctx) // with no time to drain, it may cut something off
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return s.Addresses()[0]
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func streamsPlan(p lab.Protocol, requests, concurrency, streams int) lab.Plan {
	made := plan(requests, concurrency)
	made.Protocol, made.Streams, made.PerConnection = p, streams, 0
	return made
}

// offer carries a plan out. It fails the test if the load cannot be offered, if
// calls of emit overlap, or if there is not exactly one sample for each request.
func offer(t testing.TB, at lab.Place, p lab.Plan, to ...netip.AddrPort) ([]lab.Sample, lab.Client) {
	t.Helper()
	var samples []lab.Sample
	var inside atomic.Int32
	client, err := Streams{}.Drive(t.Context(), at, p, to, func(s lab.Sample) {
		if inside.Add(1) != 1 {
			t.Error("calls of emit overlap")
		}
		defer inside.Add(-1)
		samples = append(samples, s)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(samples, func(a, b lab.Sample) int { return a.Request - b.Request })
	if p.Requests > 0 && len(samples) != p.Requests {
		t.Fatalf("%d samples of %d requests", len(samples), p.Requests)
	}
	for i, s := range samples {
		if s.Request != i {
			t.Fatalf("sample %d is of request %d", i, s.Request)
		}
	}
	return samples, client
}

var longLived = []lab.Protocol{lab.HTTP2, lab.WebSocket}

func TestStreamsFillSamplesIn(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	to := replica(t, "foo", loopback)
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 50, 3, 1)
		p.Path = "/?delay=1ms&body=5000"
		samples, client := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		for _, s := range samples {
			if s.Instance != "foo" || s.Target != to || s.ReplicaSaw != s.Local || s.ReplicaConnection == 0 || s.ReplicaRequest == 0 {
				t.Fatalf("%s: sample %+v", protocol, s)
			}
			if s.Service < time.Millisecond || s.Begun < s.Due || s.Connected == 0 || s.FirstByte < s.Begun+s.Service || s.Done < s.FirstByte {
				t.Errorf("%s: phases of %+v", protocol, s)
			}
		}
		if client.Driver != "streams" || client.Ports == 0 {
			t.Errorf("%s: client %+v", protocol, client)
		}
	}
}

// TestStreamsOnFewConnectionsReachFewInstances is what users of gRPC meet.
func TestStreamsOnFewConnectionsReachFewInstances(t *testing.T) {
	to := []netip.AddrPort{replica(t, "foo", loopback), replica(t, "bar", loopback), replica(t, "baz", loopback)}
	for _, c := range []struct{ concurrency, streams, connections int }{{8, 8, 1}, {9, 4, 3}, {5, 1, 5}, {2, 8, 1}} {
		samples, _ := offer(t, Local{}, streamsPlan(lab.HTTP2, 200, c.concurrency, c.streams), to...)
		allFaults(t, samples, "")
		instances, requests := map[int]string{}, map[int]map[uint64]bool{}
		for _, s := range samples {
			if known, ok := instances[s.Connection]; ok && known != s.Instance {
				t.Errorf("connection %d was answered by %s and by %s", s.Connection, known, s.Instance)
			}
			if requests[s.Connection] == nil {
				requests[s.Connection] = map[uint64]bool{}
			}
			instances[s.Connection] = s.Instance
			requests[s.Connection][s.ReplicaRequest] = true
		}
		all := 0
		for _, of := range requests {
			all += len(of)
		}
		if len(instances) != c.connections || all != 200 {
			t.Errorf("%+v: %d connections, and the replicas counted %d requests", c, len(instances), all)
		}
	}
}

// TestStreamsAreUnderWayAtOnce has a server that answers nobody until all are
// there, and counts its connections.
func TestStreamsAreUnderWayAtOnce(t *testing.T) {
	const streams, connections = 20, 2
	var here atomic.Int32
	all, remotes := make(chan struct{}), make(chan string, streams*connections)
	to := http2Server(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		remotes <- r.RemoteAddr
		if here.Add(1) == streams*connections {
			close(all)
		}
		<-all
	}))
	samples, _ := offer(t, Local{}, streamsPlan(lab.HTTP2, streams*connections, streams*connections, streams), to)
	allFaults(t, samples, "")
	seen := map[string]int{}
	for range samples {
		seen[<-remotes]++
	}
	for remote, n := range seen {
		if n != streams || len(seen) != connections {
			t.Errorf("%d streams on connection %s, of %d", n, remote, len(seen))
		}
	}
}

// http2Server is net/http's, which speaks HTTP/1.1 too.
func http2Server(t *testing.T, h http.Handler) netip.AddrPort {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	s := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return addressOf(l)
}

func TestRequestsOnEachConnection(t *testing.T) {
	to := replica(t, "foo", loopback)
	for _, protocol := range longLived {
		for _, each := range []int{1, 3} {
			streams := 1
			if protocol == lab.HTTP2 {
				streams = 2
			}
			p := streamsPlan(protocol, 60, 4, streams)
			p.PerConnection = each
			samples, _ := offer(t, Local{}, p, to)
			allFaults(t, samples, "")
			on := map[int]int{}
			for _, s := range samples {
				on[s.Connection]++
			}
			for c, n := range on {
				if n > each {
					t.Errorf("%s: %d requests on connection %d, want at most %d", protocol, n, c, each)
				}
			}
			// Each lane may have one that the end of the load cuts short.
			if most := (60 + each - 1) / each; len(on) < 60/each || len(on) > most+4 {
				t.Errorf("%s: %d connections for 60 requests, %d on each", protocol, len(on), each)
			}
		}
	}
}

func TestWhoClosesFirst(t *testing.T) {
	to := replica(t, "foo", loopback)
	for _, c := range []struct {
		protocol lab.Protocol
		asked    lab.End
		want     lab.End
	}{
		{lab.WebSocket, lab.ServerEnd, lab.ServerEnd},
		{lab.WebSocket, lab.ClientEnd, lab.ClientEnd},
		{lab.HTTP2, lab.ServerEnd, lab.ClientEnd}, // see Streams
	} {
		p := streamsPlan(c.protocol, 20, 2, 1)
		p.PerConnection, p.CloseFirst = 1, c.asked
		samples, client := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		counts := map[lab.End]int{}
		for _, s := range samples {
			counts[s.ClosedFirst]++
		}
		if counts[lab.ServerEnd]+counts[lab.ClientEnd] != 20 || client.ClosedFirst != counts[lab.ClientEnd] {
			t.Errorf("%s: the client says that it closed %d first, the samples say %v", c.protocol, client.ClosedFirst, counts)
		}
		// A server that is late is not waited for.
		if counts[c.want] == 0 || c.want == lab.ClientEnd && counts[c.want] != 20 {
			t.Errorf("%s, asked for %s: closed first by %v", c.protocol, c.asked, counts)
		}
	}
}

func TestStreamsFromSeveralAddresses(t *testing.T) {
	to := replica(t, "foo", loopback)
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 12, 1, 1)
		p.PerConnection, p.Clients = 1, 3
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		counts := map[netip.Addr]int{}
		for _, s := range samples {
			counts[s.ReplicaSaw.Addr()]++
		}
		for a, n := range counts {
			if n != 4 || len(counts) != 3 {
				t.Errorf("%s: %d requests from %s: %v", protocol, n, a, counts)
			}
		}
	}
}

func TestStreamsByIPv6(t *testing.T) {
	requireIPv6(t)
	to := replica(t, "foo", netip.IPv6Loopback())
	for _, protocol := range longLived {
		samples, _ := offer(t, Local{}, streamsPlan(protocol, 3, 1, 1), to)
		allFaults(t, samples, "")
		if samples[0].ReplicaSaw.Addr() != netip.IPv6Loopback() {
			t.Errorf("%s: sample %+v", protocol, samples[0])
		}
	}
}

func requireIPv6(t *testing.T) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp6", "[::1]:0")
	labtest.Require(t, "ipv6", err == nil, "no listening socket on ::1")
	l.Close()
}

func TestStreamsBelongToThePlace(t *testing.T) {
	n := newNamespace(t)
	outside := replica(t, "outside", loopback)
	for _, protocol := range longLived {
		samples, _ := offer(t, n, streamsPlan(protocol, 2, 1, 1), outside)
		allFaults(t, samples, lab.Refused)
	}
}

func TestInstancesOfOtherServers(t *testing.T) {
	to := http2Server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Served-By", "web-1")
		_, _ = w.Write([]byte(strings.Repeat(" ", 100) + "I am pod-2.\n" + strings.Repeat("x", 1<<20)))
	}))
	for name, c := range map[string]struct{ header, pattern, want string }{
		"header":     {"x-served-by", "", "web-1"},
		"pattern":    {"", `pod-\d`, "pod-2"},
		"group":      {"", `I am (\S+)\.`, "pod-2"},
		"not there":  {"X-Other", "", ""},
		"as it says": {"", "", ""},
	} {
		p := streamsPlan(lab.HTTP2, 3, 1, 1)
		p.InstanceHeader, p.InstancePattern = c.header, c.pattern
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		if samples[0].Instance != c.want {
			t.Errorf("%s: answered by %q, want %q", name, samples[0].Instance, c.want)
		}
	}
	p := streamsPlan(lab.WebSocket, 3, 1, 1)
	p.InstancePattern = `instance="(\w+)"`
	samples, _ := offer(t, Local{}, p, replica(t, "foo", loopback))
	allFaults(t, samples, "")
	if s := samples[2]; s.Instance != "foo" || s.ReplicaRequest != 0 {
		t.Errorf("by the pattern alone: %+v", s)
	}
}

func TestHostOfTheRequest(t *testing.T) {
	hosts := make(chan string, 1)
	to := http2Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host + r.RequestURI
		w.WriteHeader(http.StatusTeapot)
	}))
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 1, 1, 1)
		p.Host, p.Path = "portlab.test", "/a%2Fb?c=%zz"
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, lab.BadAnswer)
		if got := <-hosts; got != "portlab.test/a%2Fb?c=%zz" || samples[0].Status != http.StatusTeapot {
			t.Errorf("%s: asked for %q, status %d", protocol, got, samples[0].Status)
		}
	}
}

func TestRequestsThatCannotBeMade(t *testing.T) {
	for _, c := range []struct{ host, path string }{{"a/b", "/"}, {"a:b", "/"}, {"a@b", "/"}, {"", "/%zz"}, {"", "/a b"}} {
		p := streamsPlan(lab.HTTP2, 1, 1, 1)
		p.Host, p.Path = c.host, c.path
		_, err := Streams{}.Drive(t.Context(), Local{}, p, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")},
			func(lab.Sample) { t.Error("a sample") })
		if _, usage := errors.AsType[*lab.UsageError](err); !usage {
			t.Errorf("%+v: %v, want a usage error", c, err)
		}
	}
}

func TestStreamsLeaveOtherPlansAlone(t *testing.T) {
	for _, protocol := range []lab.Protocol{lab.HTTP1, lab.TCP, lab.UDP} {
		_, err := Streams{}.Drive(t.Context(), Local{}, streamsPlan(protocol, 1, 1, 1),
			[]netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}, func(lab.Sample) { t.Error("a sample") })
		if _, usage := errors.AsType[*lab.UsageError](err); !usage {
			t.Errorf("%s: %v, want a usage error", protocol, err)
		}
	}
}
