package load

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// datagramServer has handle answer each datagram, one after the other.
func datagramServer(t testing.TB, handle func(c *net.UDPConn, from netip.AddrPort, id string)) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	t.Cleanup(func() { c.Close(); done.Wait() })
	done.Go(func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			var id, path string
			if _, err := fmt.Sscanf(string(buffer[:n]), "portlab %s %s", &id, &path); err != nil {
				t.Errorf("request %q", buffer[:n])
			}
			handle(c, from, id)
		}
	})
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// answerDatagram answers one request as the instrumented server does.
func answerDatagram(c *net.UDPConn, to netip.AddrPort, id string) {
	_, _ = c.WriteToUDPAddrPort(fmt.Appendf(nil, "%s v=1, instance=\"foo\", conn=1, req=1, client=%q, service-ns=5", id, to), to)
}

func datagramPlan(requests, concurrency, perConnection, streams int) lab.Plan {
	p := linePlan(requests, concurrency, perConnection)
	p.Protocol, p.Streams = lab.UDP, streams
	return p
}

func TestDatagrams(t *testing.T) {
	to := datagramServer(t, answerDatagram)
	for _, perConnection := range []int{0, 1, 5} {
		for _, streams := range []int{1, 4} {
			samples := raw(t, datagramPlan(60, 8, perConnection, streams), to)
			allFaults(t, samples, "")
			made := map[int]int{}
			for _, s := range samples {
				made[s.Connection]++
				if s.Instance != "foo" || s.ReplicaSaw != s.Local || s.Duplicates != 0 || s.Connected == 0 || s.Target != to {
					t.Errorf("sample %+v", s)
				}
			}
			for number, n := range made {
				if perConnection > 0 && n > perConnection {
					t.Errorf("%d requests from socket %d", n, number)
				}
			}
			if perConnection == 0 && len(made) != 8/streams {
				t.Errorf("%d sockets for 8 requests at once, %d from each", len(made), streams)
			}
		}
	}
}

// TestLostAndDoubledDatagrams: of ten requests, one is lost and one is answered
// three times.
func TestLostAndDoubledDatagrams(t *testing.T) {
	for _, perConnection := range []int{0, 1} {
		n := 0
		to := datagramServer(t, func(c *net.UDPConn, from netip.AddrPort, id string) {
			switch n++; n % 10 {
			case 3:
			case 7:
				answerDatagram(c, from, id)
				answerDatagram(c, from, id)
				answerDatagram(c, from, id)
			default:
				answerDatagram(c, from, id)
			}
		})
		p := datagramPlan(50, 5, perConnection, 1)
		p.Timeout = 200 * time.Millisecond
		faults, duplicates := map[lab.Fault]int{}, 0
		for _, s := range raw(t, p, to) {
			faults[s.Fault]++
			duplicates += s.Duplicates
			if s.Reordered || s.Duplicates != 0 && s.Duplicates != 2 {
				t.Errorf("sample %+v", s)
			}
		}
		if faults[lab.ReadTimeout] != 5 || faults[""] != 45 || duplicates != 10 {
			t.Errorf("faults %v, %d duplicates", faults, duplicates)
		}
	}
}

// TestReorderedDatagrams has a server that answers four at a time, the last
// first: the other three come after an answer to a later request.
func TestReorderedDatagrams(t *testing.T) {
	var waiting []string
	to := datagramServer(t, func(c *net.UDPConn, from netip.AddrPort, id string) {
		if waiting = append(waiting, id); len(waiting) < 4 {
			return
		}
		for i := range waiting {
			answerDatagram(c, from, waiting[len(waiting)-1-i])
		}
		waiting = nil
	})
	samples := raw(t, datagramPlan(40, 4, 0, 4), to)
	allFaults(t, samples, "")
	for i, s := range samples {
		if s.Reordered != (i%4 != 3) || s.Connection != 0 {
			t.Errorf("request %d: reordered %v, socket %d", i, s.Reordered, s.Connection)
		}
	}
}

// TestAnswerThatComesTooLate is no answer to the next request.
func TestAnswerThatComesTooLate(t *testing.T) {
	var before string
	to := datagramServer(t, func(c *net.UDPConn, from netip.AddrPort, id string) {
		if before != "" {
			answerDatagram(c, from, before)
		}
		before = id
	})
	p := datagramPlan(5, 1, 0, 1)
	p.Timeout = 30 * time.Millisecond
	samples := raw(t, p, to)
	allFaults(t, samples, lab.ReadTimeout)
}

func TestDatagramsThatNobodyTakes(t *testing.T) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	to := c.LocalAddr().(*net.UDPAddr).AddrPort()
	c.Close()
	for _, perConnection := range []int{0, 1} {
		samples := raw(t, datagramPlan(20, 4, perConnection, 1), to)
		allFaults(t, samples, lab.Refused)
	}
}

// TestDatagramsOfOtherServers: an echo, and a server that says who it is.
func TestDatagramsOfOtherServers(t *testing.T) {
	for text, instance := range map[string]string{"pong": "", "I am web-3": "web-3"} {
		to := datagramServer(t, func(c *net.UDPConn, from netip.AddrPort, _ string) {
			_, _ = c.WriteToUDPAddrPort([]byte(text), from)
		})
		p := datagramPlan(10, 2, 0, 1)
		p.InstancePattern = `am (\S+)`
		samples := raw(t, p, to)
		allFaults(t, samples, "")
		if samples[0].Instance != instance {
			t.Errorf("%q: instance %q", text, samples[0].Instance)
		}
	}
}

func TestDatagramThatIsTooLarge(t *testing.T) {
	p := datagramPlan(2, 1, 1, 1)
	p.Path = "/" + strings.Repeat("x", 1<<16)
	allFaults(t, raw(t, p, datagramServer(t, answerDatagram)), lab.Other)
}

// TestSettlingRequestsAreBounded: more sockets at once than are held.
func TestSettlingRequestsAreBounded(t *testing.T) {
	before := descriptors(t)
	samples := raw(t, datagramPlan(2*maxHeld, 4, 1, 1), datagramServer(t, answerDatagram))
	allFaults(t, samples, "")
	if after := descriptors(t); after > before+1 { // the server's own
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

func TestCancelEndsDatagrams(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	to := datagramServer(t, func(c *net.UDPConn, from netip.AddrPort, id string) {
		switch n++; {
		case n <= 5:
			answerDatagram(c, from, id)
		case n == 9:
			cancel()
		}
	})
	p := datagramPlan(1000, 4, 0, 1)
	p.Timeout = time.Hour
	emitted := 0
	_, err := Raw{}.Drive(ctx, Local{}, p, []netip.AddrPort{to}, func(lab.Sample) { emitted++ })
	if err == nil || emitted != 5 {
		t.Errorf("error %v, %d samples of the 5 that were answered", err, emitted)
	}
}
