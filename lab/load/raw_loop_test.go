package load

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// byHand is a loop whose requests a test makes one by one.
type byHand struct {
	*rawLoop
	t       *testing.T
	streams *streams
	samples []lab.Sample
	asked   int
}

func newByHand(t *testing.T, p lab.Plan, to netip.AddrPort) *byHand {
	t.Helper()
	b := &byHand{t: t}
	j, err := Raw{Threads: 1}.newJob(Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) { b.samples = append(b.samples, s) })
	if err != nil {
		t.Fatal(err)
	}
	j.zero = time.Now()
	if b.rawLoop, err = newLoop(j, 0); err != nil {
		t.Fatal(err)
	}
	b.streams = b.transport.(*streams)
	t.Cleanup(func() { b.streams.close(); b.poll.close() })
	return b
}

// ask makes a request and goes on until it is answered.
func (b *byHand) ask() {
	b.t.Helper()
	now := b.job.now()
	b.start(arrival{due: now, number: b.asked, counted: true}, now)
	b.asked++
	for b.exchanges.underWay.size > 0 {
		events, err := b.poll.wait(time.Second)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range events {
			b.streams.ready(e.Fd, e.Pad, e.Events)
		}
	}
	b.flush()
}

// TestResetThatNoEventHasTold: a kept connection is broken, and the loop comes
// to know it only as it sends. Nothing was sent, so it opens another.
func TestResetThatNoEventHasTold(t *testing.T) {
	breakIt := make(chan struct{})
	p := plan(2, 1)
	p.PerConnection = 0
	b := newByHand(t, p, rawServer(t, func(c *net.TCPConn) {
		says(empty200)(c)
		<-breakIt
		_ = c.SetLinger(0)
	}))
	b.ask()
	kept := b.streams.all[b.streams.idle[0]].fd
	close(breakIt)
	const closed = 7 // TCP_CLOSE of the kernel's tcp_states.h
	for state := uint8(0); state != closed; time.Sleep(time.Millisecond) {
		info, err := unix.GetsockoptTCPInfo(kept, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		state = info.State
	}
	b.ask()
	allFaults(t, b.samples, "")
	if len(b.samples) != 2 || b.samples[1].Connection != 1 {
		t.Errorf("samples %+v", b.samples)
	}
}

// TestEventsOfEarlierConnections mean nothing to the one that has their place.
func TestEventsOfEarlierConnections(t *testing.T) {
	p := plan(2, 1)
	p.PerConnection = 0
	b := newByHand(t, p, goServer(t, "foo"))
	b.ask()
	c := b.streams.idle[0]
	b.streams.ready(c, b.streams.all[c].generation-1, unix.EPOLLIN|unix.EPOLLRDHUP)
	if len(b.streams.idle) != 1 {
		t.Fatal("an event of an earlier connection has closed this one")
	}
	b.streams.ready(c, b.streams.all[c].generation, unix.EPOLLIN|unix.EPOLLRDHUP)
	if len(b.streams.idle) != 0 {
		t.Error("an event of this connection has not closed it")
	}
}

// TestMoreWaitForTheirEndThanAreHeld: the oldest are let go early.
func TestMoreWaitForTheirEndThanAreHeld(t *testing.T) {
	const bound = 4
	b := newByHand(t, plan(10, 1), rawServer(t, saysAndHolds(empty200)))
	b.mostHeld = bound
	for range 10 {
		b.ask()
	}
	if len(b.samples) != 10-bound || b.exchanges.held.size != bound {
		t.Errorf("%d samples, and %d are held", len(b.samples), b.exchanges.held.size)
	}
	for i, s := range b.samples {
		if s.Request != i || s.ClosedFirst != lab.ClientEnd {
			t.Errorf("sample %d is %+v", i, s)
		}
	}
	b.letGo()
	if allFaults(t, b.samples, ""); len(b.samples) != 10 {
		t.Errorf("%d samples", len(b.samples))
	}
}
