package load

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// settleTime is how long a request that was answered is kept, without being
// under way, to see whether its answer comes twice.
const settleTime = 20 * time.Millisecond

// flow is a UDP socket. It is used again and again for new ones.
type flow struct {
	fd         int
	generation int32
	endpoint   *endpoint
	number     int // among the sockets of counted requests; -1: none yet
	made       int // requests from it
	underWay   []int32
	settling   int // requests that were answered and are kept
	answered   int // the latest request that was, from 1
	roomyAt    int // its place among those that may carry another request; -1: not there
	stood      time.Duration
	local      netip.AddrPort
}

// datagrams is the transport of UDP. A lost datagram, in either direction, is a
// request whose time is over (lab.ReadTimeout).
type datagrams struct {
	loop    *rawLoop
	about   *about
	all     []flow
	free    []int32
	roomy   []int32 // flows that may carry another request, the one used last at the end
	ask     []byte
	scratch address
}

func newDatagrams(l *rawLoop) *datagrams {
	t := &datagrams{loop: l, about: newAbout(l.job.plan), all: make([]flow, l.most+maxHeld+1)}
	t.free = indices(len(t.all))
	const most = 16 // sockets with more room grow when they need it
	room := min(l.job.plan.Streams, most)
	places := make([]int32, len(t.all)*room)
	for i := range t.all {
		t.all[i].underWay = places[i*room : i*room : (i+1)*room]
	}
	return t
}

// begin implements transport.
func (t *datagrams) begin(x int32) {
	var f int32
	if len(t.roomy) > 0 {
		f = t.roomy[len(t.roomy)-1]
		t.attach(f, x)
	} else if f = t.open(x); f == none {
		return
	}
	it := &t.loop.exchanges.all[x]
	t.ask = appendAsk(t.ask[:0], it.id, t.loop.job.plan.Path)
	s := &t.all[f]
	_, err := sendTo(s.fd, t.ask)
	if err == unix.ECONNREFUSED {
		// What an earlier datagram has met: this one was not sent yet.
		t.refused(f, x)
		_, err = sendTo(s.fd, t.ask)
	}
	switch {
	case err == unix.EAGAIN:
		t.loop.exhausted()
		t.lost(x, lab.ClientLimit, "the socket's send buffer is full: lower --rate")
	case err != 0:
		t.failed(x, "send", err)
	}
}

// attach makes an exchange the next one of a flow.
func (t *datagrams) attach(f, x int32) {
	s, it := &t.all[f], &t.loop.exchanges.all[x]
	if it.counted && s.number < 0 {
		s.number = int(t.loop.job.connections.Add(1) - 1)
	}
	s.made++
	it.on, it.turn, it.at = f, s.made, int32(len(s.underWay))
	s.underWay = append(s.underWay, x)
	sample := &it.sample
	sample.Connection, sample.Target, sample.Local, sample.Connected = s.number, s.endpoint.address, s.local, s.stood
	t.sort(f)
}

// open opens a socket for an exchange; none if it cannot, and then the exchange
// has ended.
func (t *datagrams) open(x int32) int32 {
	it := &t.loop.exchanges.all[x]
	f := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	s := &t.all[f]
	number := t.loop.job.nextConnection(it.counted)
	*s = flow{fd: -1, generation: s.generation + 1, underWay: s.underWay[:0], number: -1, roomyAt: -1, endpoint: t.loop.job.endpointOf(number)}
	if it.counted {
		s.number = int(number)
	}
	what, err := t.dial(s, f, number)
	if err != 0 && s.fd >= 0 {
		closeSocket(s.fd)
		s.fd = -1
	}
	t.attach(f, x)
	if err != 0 {
		t.failed(x, what, err)
		return none
	}
	t.loop.recovered()
	return f
}

// dial makes a socket that knows its target, so that it hears of no one else,
// and of what the network says of its datagrams (udp(7)).
func (t *datagrams) dial(s *flow, f int32, number uint64) (what string, err unix.Errno) {
	if s.fd, err = openSocket(&s.endpoint.raw, unix.SOCK_DGRAM); err != 0 {
		s.fd = -1
		return "socket", err
	}
	if from := t.loop.job.sourceOf(number); from != nil {
		if err := bindSource(s.fd, from); err != 0 {
			return "bind", err
		}
	}
	if err := connectSocket(s.fd, &s.endpoint.raw); err != 0 {
		return "connect", err
	}
	s.local, s.stood = localOf(s.fd, &t.scratch), max(t.loop.job.now(), 1)
	return "epoll_ctl", t.loop.poll.control(unix.EPOLL_CTL_ADD, s.fd, unix.EPOLLIN, f, s.generation)
}

// full says whether a flow has made all of its requests.
func (t *datagrams) full(s *flow) bool {
	return t.loop.job.plan.PerConnection > 0 && s.made >= t.loop.job.plan.PerConnection
}

// sort puts a flow where it belongs: among those with room, or not; or it is
// closed when nothing is left that it waits for.
func (t *datagrams) sort(f int32) {
	s := &t.all[f]
	room := !t.full(s) && len(s.underWay) < t.loop.job.plan.Streams && s.fd >= 0
	switch {
	case room && s.roomyAt < 0:
		s.roomyAt = len(t.roomy)
		t.roomy = append(t.roomy, f)
	case !room && s.roomyAt >= 0:
		last := len(t.roomy) - 1
		t.roomy[s.roomyAt] = t.roomy[last]
		t.all[t.roomy[s.roomyAt]].roomyAt = s.roomyAt
		t.roomy, s.roomyAt = t.roomy[:last], -1
	}
	if !room && len(s.underWay) == 0 && s.settling == 0 {
		t.shut(f)
	}
}

func (t *datagrams) shut(f int32) {
	s := &t.all[f]
	if s.fd >= 0 {
		closeSocket(s.fd)
	}
	s.fd, s.endpoint = -1, nil
	t.free = append(t.free, f)
}

// sweep implements transport.
func (t *datagrams) sweep() {}

// close implements transport.
func (t *datagrams) close() {
	for f := range t.all {
		if t.all[f].endpoint != nil {
			t.shut(int32(f))
		}
	}
}

// leave takes an exchange from those under way on its flow.
func (t *datagrams) leave(x int32) {
	it := &t.loop.exchanges.all[x]
	s := &t.all[it.on]
	last := len(s.underWay) - 1
	s.underWay[it.at] = s.underWay[last]
	t.loop.exchanges.all[s.underWay[it.at]].at = it.at
	s.underWay = s.underWay[:last]
}

// lost ends an exchange with a fault.
func (t *datagrams) lost(x int32, fault lab.Fault, text string) {
	f := t.loop.exchanges.all[x].on
	t.leave(x)
	t.loop.fail(x, fault, text)
	t.loop.report(x)
	t.sort(f)
}

// failed ends an exchange after a system call has failed.
func (t *datagrams) failed(x int32, call string, err unix.Errno) {
	s := &t.all[t.loop.exchanges.all[x].on]
	fault, text := classify(err, s.stood != 0), exhaustion(err, t.loop.ports)
	if text == "" {
		text = detail(os.NewSyscallError(call, err))
	}
	if fault == lab.ClientLimit {
		t.loop.exhausted()
	}
	t.lost(x, fault, text)
}

// refused ends all exchanges of a flow but one: where one datagram found nobody
// (ICMP port unreachable, RFC 1122, 4.1.3.3), the others go the same way.
func (t *datagrams) refused(f, but int32) {
	s := &t.all[f]
	// From the end, for the last takes the place of one that leaves.
	for _, x := range slices.Backward(s.underWay) {
		if x != but {
			t.failed(x, "recv", unix.ECONNREFUSED)
		}
	}
}

// lapse implements transport.
func (t *datagrams) lapse(x int32) {
	it := &t.loop.exchanges.all[x]
	if it.queue == &t.loop.exchanges.held {
		t.all[it.on].settling--
		t.loop.report(x)
		t.sort(it.on)
		return
	}
	t.lost(x, lab.ReadTimeout, fmt.Sprintf("no answer within %s", t.loop.job.plan.Timeout))
}
