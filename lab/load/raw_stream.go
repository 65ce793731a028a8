package load

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// answerParser reads the answers on one connection: http1 or lines.
type answerParser interface {
	reset(id uint64)
	read(b []byte) (used int, whole bool, err error)
	end() error // the server has closed; nil if that makes the answer whole
	note(s *lab.Sample) error
	persists() bool
}

// stream is a TCP connection. It is used again and again for new ones, so that
// no memory is asked for while the load runs.
type stream struct {
	fd         int
	generation int32 // which connection this is, to know events of earlier ones
	state      streamState
	exchange   int32
	endpoint   *endpoint
	parser     answerParser
	number     int  // among the connections of counted requests; -1: none yet
	made       int  // requests on it
	sent       int  // bytes of the request under way
	watched    bool // the poller knows it
	once       bool // and tells of one event alone
	peerClosed bool
	idleAt     int // its place among the idle ones
	stood      time.Duration
	local      netip.AddrPort
}

// streamState is what a connection is at.
type streamState byte

const (
	unused     streamState = iota
	connecting             // connect(2) is under way
	busy                   // a request is
	idle                   // it is kept for the next request
	parting                // the answer is whole, and the server is to close
)

// streams is the transport of TCP.
type streams struct {
	loop     *rawLoop
	all      []stream
	free     []int32
	idle     []int32 // of those that are kept, the one used last at the end
	ended    []int32 // of those whose answer has just come, and that the poller no longer watches
	ask      []byte  // scratch space
	scratch  address
	patience time.Duration // with a server that does not close
}

func newStreams(l *rawLoop) *streams {
	t := &streams{loop: l, all: make([]stream, l.most+maxHeld), patience: maxPatience}
	about := newAbout(l.job.plan)
	t.free = indices(len(t.all))
	for i := range t.all {
		if l.job.plan.Protocol == lab.TCP {
			t.all[i].parser = &lines{about: about}
		} else {
			t.all[i].parser = &http1{about: about}
		}
	}
	return t
}

// begin implements transport: on the connection that was used last, if one is
// kept, for it is the least likely to be closed by now.
func (t *streams) begin(x int32) {
	for len(t.idle) > 0 {
		c := t.idle[len(t.idle)-1]
		t.unidle(c)
		if t.resume(c, x) {
			return
		}
		t.shut(c)
	}
	t.open(x)
}

// resume makes a request on a kept connection; false if it is closed already,
// and nothing was sent.
func (t *streams) resume(c, x int32) bool {
	s := &t.all[c]
	t.attach(s, c, x)
	err := t.send(s)
	if err == unix.EPIPE || err == unix.ECONNRESET {
		s.exchange, s.peerClosed = none, true
		return false
	}
	t.await(c, err)
	return true
}

// attach makes an exchange the connection's next one.
func (t *streams) attach(s *stream, c, x int32) {
	it := &t.loop.exchanges.all[x]
	s.exchange, s.state, s.sent = x, busy, 0
	s.made++
	s.parser.reset(it.id)
	if it.counted && s.number < 0 {
		s.number = int(t.loop.job.connections.Add(1) - 1)
	}
	it.on, it.turn = c, s.made
	sample := &it.sample
	sample.Connection, sample.Target, sample.Local, sample.Connected = s.number, s.endpoint.address, s.local, s.stood
}

// open makes a request on a new connection, and sends it at once: on a short
// way, the connection stands when connect(2) returns, though it does not say so.
func (t *streams) open(x int32) {
	c := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	s, it := &t.all[c], &t.loop.exchanges.all[x]
	*s = stream{fd: -1, generation: s.generation + 1, parser: s.parser, number: -1}
	number := t.loop.job.nextConnection(it.counted)
	if it.counted {
		s.number = int(number)
	}
	s.endpoint = t.loop.job.endpointOf(number)
	t.attach(s, c, x)
	what, err := t.dial(s, number)
	if err != 0 {
		t.failed(c, what, err)
		return
	}
	stood := max(t.loop.job.now(), 1)
	err = t.send(s)
	s.local = localOf(s.fd, &t.scratch)
	it.sample.Local = s.local
	switch {
	case err == unix.EAGAIN && s.sent == 0:
		s.state = connecting
	case s.local == s.endpoint.address:
		t.metItself(c)
		return
	case err == 0 || err == unix.EAGAIN:
		t.stands(s, stoodAt(stood, t.loop.job.now()))
	}
	t.await(c, err)
}

// stoodAt is since when a connection stands on which something could be sent,
// between these two times: since the first, to which the sending adds nothing.
// But a client that was interrupted in between may have slept through the
// handshake, on a way that is not short.
func stoodAt(before, after time.Duration) time.Duration {
	if after-before > lab.LateAfter {
		return after
	}
	return before
}

// dial starts to connect. It names the call that failed.
func (t *streams) dial(s *stream, number uint64) (what string, err unix.Errno) {
	if s.fd, err = openSocket(&s.endpoint.raw, unix.SOCK_STREAM); err != 0 {
		s.fd = -1
		return "socket", err
	}
	if from := t.loop.job.sourceOf(number); from != nil {
		if err := bindSource(s.fd, from); err != 0 {
			return "bind", err
		}
	}
	if err := connectSocket(s.fd, &s.endpoint.raw); err != 0 && err != unix.EINPROGRESS {
		return "connect", err
	}
	return "", 0
}

// stands notes since when a connection stands.
func (t *streams) stands(s *stream, at time.Duration) {
	s.stood = at
	t.loop.exchanges.all[s.exchange].sample.Connected = at
	t.loop.recovered()
}

// send sends as much of the request as it can.
func (t *streams) send(s *stream) unix.Errno {
	request := t.request(s)
	n, err := sendTo(s.fd, request[s.sent:])
	if err != 0 {
		return err
	}
	if s.sent += n; s.sent < len(request) {
		return unix.EAGAIN
	}
	return 0
}

// request is what is asked on a connection now.
func (t *streams) request(s *stream) []byte {
	last := s.made == t.loop.job.plan.PerConnection
	if t.loop.job.plan.Protocol == lab.TCP {
		t.ask = appendAsk(t.ask[:0], t.loop.exchanges.all[s.exchange].id, t.loop.job.plan.Path)
		if last && t.loop.job.plan.CloseFirst == lab.ServerEnd {
			t.ask = append(t.ask, closeLine...)
		}
		t.ask = append(t.ask, '\n')
		return t.ask
	}
	if last {
		return s.endpoint.last
	}
	return s.endpoint.request
}

// await goes on after a send: to wait for the answer, or until more can be sent.
func (t *streams) await(c int32, err unix.Errno) {
	s := &t.all[c]
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	switch err {
	case 0:
		if s.watched {
			return
		}
		if s.made == t.loop.job.plan.PerConnection {
			events |= unix.EPOLLONESHOT // see sweep
		}
	case unix.EAGAIN:
		events |= unix.EPOLLOUT
	default:
		t.failed(c, "send", err)
		return
	}
	t.watch(c, events)
}

// watch has the poller wait for events of a connection.
func (t *streams) watch(c int32, events uint32) {
	s := &t.all[c]
	op := unix.EPOLL_CTL_ADD
	if s.watched {
		op = unix.EPOLL_CTL_MOD
	}
	if err := t.loop.poll.control(op, s.fd, events, c, s.generation); err != 0 {
		t.failed(c, "epoll_ctl", err)
		return
	}
	s.watched, s.once = true, events&unix.EPOLLONESHOT != 0
}
