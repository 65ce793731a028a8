package load

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// inTurn is a server that treats its connections in turn as each of these does.
func inTurn(t testing.TB, handlers ...func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	var accepted atomic.Int64
	return rawServer(t, func(c *net.TCPConn) {
		handlers[int(accepted.Add(1)-1)%len(handlers)](c)
	})
}

// outcomes counts what requests came to.
func outcomes(samples []lab.Sample) map[string]int {
	counts := map[string]int{}
	for _, s := range samples {
		counts[fmt.Sprintf("fault %q, status %d, instance %q, saw %s, stood %v, first byte %v, local %v",
			s.Fault, s.Status, s.Instance, s.ReplicaSaw, s.Connected > 0, s.FirstByte > 0, s.Local.IsValid())]++
	}
	return counts
}

// TestRawAgreesWithSimple offers the same load by both drivers, to a server
// that does with its connections all that servers do, and to nobody.
func TestRawAgreesWithSimple(t *testing.T) {
	own := wire.Header + `: v=1, instance="foo", conn=3, req=1, client="192.0.2.1:1024", service-ns=5` + "\r\n"
	handlers := []func(*net.TCPConn){
		says(head200 + own + "Content-Length: 2\r\n\r\nhi"),
		says(head200 + own + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
		says(head200 + "\r\nuntil the end"),
		says("HTTP/1.1 103 Early Hints\r\n\r\n" + head200 + own + "Content-Length: 0\r\n\r\n"),
		saysAndHolds(head200 + own + "Content-Length: 0\r\n\r\n"),
		resets(""),
		resets(head200 + own + "Content-Length: 10\r\n\r\n12345"),
		says(""),
		says(head200 + "Content-Length: 10\r\n\r\n12345"),
		says("HTTP/1.1 503 Service Unavailable\r\n" + own + "Content-Length: 0\r\n\r\n"),
		says("HTTP/1.1 204 No Content\r\n\r\n"),
		saysAndHolds("SSH-2.0-OpenSSH_9.2\r\n"),
		says(head200 + wire.Header + ": v=99\r\nContent-Length: 0\r\n\r\n"),
		saysAndHolds(""),
		saysAndHolds(head200 + "Content-Length: 9\r\n\r\nfoo"),
		saysAndHolds(head200 + "Transfer-Encoding: chunked\r\n\r\nfoo\r\n"),
	}
	nobody := listen(t, "127.0.0.1:0")
	nobody.Close()
	p := plan(10*len(handlers), 7)
	p.Timeout = 300 * time.Millisecond
	reference := drive(t, p, inTurn(t, handlers...), addressOf(nobody))
	for _, threads := range []int{1, 2} {
		samples, _ := driveRaw(t, Raw{Threads: threads}, Local{}, p, inTurn(t, handlers...), addressOf(nobody))
		if got, want := outcomes(samples), outcomes(reference); !maps.Equal(got, want) {
			t.Errorf("%d threads: outcomes of the raw driver\n%v\nof the simple one\n%v", threads, got, want)
		}
	}
	faults := map[lab.Fault]int{}
	for _, s := range reference {
		faults[s.Fault]++
	}
	for _, f := range []lab.Fault{"", lab.Refused, lab.Reset, lab.BadAnswer, lab.ReadTimeout} {
		if faults[f] == 0 {
			t.Errorf("no request came to %q, so nothing was compared", f)
		}
	}
}

// TestRawAgreesWithSimpleOnQuantiles has a server whose waits are what latency
// consists of: seven in twelve are short, one is long. Half of a wait is more
// than what a busy machine adds.
func TestRawAgreesWithSimpleOnQuantiles(t *testing.T) {
	const short, middle, long = 20 * time.Millisecond, 60 * time.Millisecond, 180 * time.Millisecond
	var handlers []func(*net.TCPConn)
	for i := range 12 {
		wait := map[bool]time.Duration{true: short, false: middle}[i < 7]
		if i == 11 {
			wait = long
		}
		handlers = append(handlers, func(c *net.TCPConn) {
			time.Sleep(wait)
			says(head200 + "Content-Length: 2\r\n\r\nhi")(c)
		})
	}
	p := plan(6*len(handlers), 6)
	reference := quantiles(drive(t, p, inTurn(t, handlers...)))
	got := quantiles(raw(t, p, inTurn(t, handlers...)))
	for _, q := range []struct {
		name           string
		got, want, led time.Duration
	}{{"p50", got.P50, reference.P50, short}, {"p90", got.P90, reference.P90, middle}, {"p99", got.P99, reference.P99, long}} {
		if q.got < q.led || q.want < q.led || (q.got-q.want).Abs() > q.led/2 {
			t.Errorf("%s: %s by the raw driver, %s by the simple one, of which the server waited %s", q.name, q.got, q.want, q.led)
		}
	}
}

func quantiles(samples []lab.Sample) lab.Quantiles {
	var all lab.Distribution
	for _, s := range samples {
		all.Record(s.Latency())
	}
	return all.Quantiles()
}

// TestRawFaultsSayWhatTheSystemSaid: so that a reader can tell them apart.
func TestRawFaultsSayWhatTheSystemSaid(t *testing.T) {
	nobody := listen(t, "127.0.0.1:0")
	nobody.Close()
	timeout := func(p *lab.Plan) { p.Timeout = 50 * time.Millisecond }
	tests := map[string]struct {
		to     netip.AddrPort
		change func(*lab.Plan)
		want   lab.Fault
		detail string
	}{
		"nobody listens":          {addressOf(nobody), unchanged, lab.Refused, "connection refused"},
		"a listener that is full": {fullListener(t), timeout, lab.ConnectTimeout, "no connection within 50ms"},
		"no answer":               {rawServer(t, saysAndHolds("")), timeout, lab.ReadTimeout, "no whole answer within 50ms"},
		"a reset":                 {rawServer(t, resets("")), unchanged, lab.Reset, "connection reset by peer"},
		"an early close":          {rawServer(t, says("HTTP/1.1 2")), unchanged, lab.Reset, errClosedEarly.Error()},
		"another status":          {rawServer(t, says("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n")), unchanged, lab.BadAnswer, "status 299"},
		"no HTTP":                 {rawServer(t, says("220 ESMTP\r\n")), unchanged, lab.BadAnswer, errNoHTTP.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(3, 1)
			test.change(&p)
			samples := raw(t, p, test.to)
			allFaults(t, samples, test.want)
			for _, s := range samples {
				if !strings.Contains(s.Detail, test.detail) {
					t.Errorf("detail %q, want %q in it", s.Detail, test.detail)
				}
				if stood := s.Connected > 0; stood != (test.want != lab.Refused && test.want != lab.ConnectTimeout) {
					t.Errorf("connected at %s", s.Connected)
				}
			}
		})
	}
}
