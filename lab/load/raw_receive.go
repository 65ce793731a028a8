package load

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// ready implements transport.
func (t *streams) ready(c, generation int32, events uint32) {
	s := &t.all[c]
	if s.generation != generation {
		return // of a connection that is gone since
	}
	const gone = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	switch s.state {
	case connecting:
		t.connected(c)
	case busy:
		if events&unix.EPOLLOUT != 0 {
			t.resend(c)
		}
		if s.generation == generation && s.state == busy && events&(unix.EPOLLIN|gone) != 0 {
			t.receive(c, events&gone != 0)
		}
		if s.generation == generation && s.state == busy && s.once {
			t.watch(c, unix.EPOLLIN|unix.EPOLLRDHUP) // the answer comes in parts
		}
	case idle:
		// The server has closed, or it says what nobody asked for.
		s.peerClosed = events&gone != 0
		t.unidle(c)
		t.shut(c)
	case parting:
		t.awaitEnd(c, events&gone != 0)
	}
}

// connected goes on when a connect(2) under way has come to its end.
func (t *streams) connected(c int32) {
	s := &t.all[c]
	if err := pendingError(s.fd); err != 0 {
		t.failed(c, "connect", err)
		return
	}
	if s.local = localOf(s.fd, &t.scratch); s.local == s.endpoint.address {
		t.metItself(c)
		return
	}
	t.loop.exchanges.all[s.exchange].sample.Local = s.local
	s.state = busy
	t.stands(s, max(t.loop.job.now(), 1))
	t.resend(c)
}

// resend sends the rest of a request, and then waits for the answer alone.
func (t *streams) resend(c int32) {
	s := &t.all[c]
	switch err := t.send(s); err {
	case 0:
		t.watch(c, unix.EPOLLIN|unix.EPOLLRDHUP)
	case unix.EAGAIN:
	default:
		t.failed(c, "send", err)
	}
}

// receive reads what has come. With gone, the server has closed as well, or
// the connection is broken.
func (t *streams) receive(c int32, gone bool) {
	s := &t.all[c]
	for {
		n, err := receiveFrom(s.fd, t.loop.buffer)
		now := t.loop.job.now()
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return
		case err != 0:
			t.failed(c, "recv", err)
			return
		case n == 0:
			t.end(c, now)
			return
		}
		if whole := t.take(c, t.loop.buffer[:n], now, gone); whole {
			return
		}
		if n < len(t.loop.buffer) && !gone {
			return // what comes from now on is an event of its own
		}
	}
}

// take gives bytes to the parser, and says whether the exchange has ended.
func (t *streams) take(c int32, b []byte, now time.Duration, gone bool) (ended bool) {
	s := &t.all[c]
	sample := &t.loop.exchanges.all[s.exchange].sample
	if sample.FirstByte == 0 {
		sample.FirstByte = max(now, sample.Due)
	}
	used, whole, err := s.parser.read(b)
	if err != nil {
		t.lost(c, lab.BadAnswer, detail(err))
		return true
	}
	if whole {
		s.peerClosed = gone
		t.answered(c, now, used < len(b))
	}
	return whole
}

// end takes in that the server has closed.
func (t *streams) end(c int32, now time.Duration) {
	s := &t.all[c]
	s.peerClosed = true
	if err := s.parser.end(); err != nil {
		t.lost(c, lab.Reset, detail(err))
		return
	}
	t.answered(c, now, false)
}

// answered ends an exchange whose answer is whole, and decides what becomes of
// the connection. With excess, more has come than was asked for.
func (t *streams) answered(c int32, now time.Duration, excess bool) {
	s := &t.all[c]
	x := s.exchange
	sample := &t.loop.exchanges.all[x].sample
	sample.Done = max(now, sample.Due)
	judge(sample, s.parser.note(sample), t.loop.job.plan.Protocol)
	persists := s.parser.persists()
	unfinished := s.sent < len(t.request(s))
	switch {
	case s.peerClosed:
		t.part(c)
	case persists && !excess && !unfinished && s.made != t.loop.job.plan.PerConnection:
		s.exchange = none
		t.keep(c)
		t.loop.report(x)
	case t.loop.job.plan.CloseFirst == lab.ServerEnd && !unfinished:
		s.state = parting
		if s.once {
			t.ended = append(t.ended, c)
		}
		t.loop.hold(x, t.patience)
	default:
		t.part(c)
	}
}

// sweep implements transport: it looks whether servers have closed whose answers
// came in this round. Most have, for the new requests took a while to begin; to
// be woken for each close would cost more. The others are watched from now on.
func (t *streams) sweep() {
	for _, c := range t.ended {
		s := &t.all[c]
		if s.state != parting {
			continue // let go already
		}
		n, err := receiveFrom(s.fd, t.loop.buffer)
		if n == 0 && err == 0 || err != 0 && err != unix.EAGAIN {
			t.awaitEnd(c, true)
			continue
		}
		t.watch(c, unix.EPOLLIN|unix.EPOLLRDHUP)
	}
	t.ended = t.ended[:0]
}

// awaitEnd goes on when something came after the last answer of a connection.
func (t *streams) awaitEnd(c int32, gone bool) {
	if gone {
		t.all[c].peerClosed = true
		t.patience = maxPatience
		t.part(c)
		return
	}
	_, _ = receiveFrom(t.all[c].fd, t.loop.buffer) // nobody asked for it
}

// lapse implements transport.
func (t *streams) lapse(x int32) {
	it := &t.loop.exchanges.all[x]
	s := &t.all[it.on]
	switch s.state {
	case parting:
		t.patience = max(t.patience/2, minPatience)
		t.part(it.on)
	case connecting:
		t.lost(it.on, lab.ConnectTimeout, fmt.Sprintf("no connection within %s", t.loop.job.plan.Timeout))
	default:
		t.lost(it.on, lab.ReadTimeout, fmt.Sprintf("no whole answer within %s", t.loop.job.plan.Timeout))
	}
}

// keep keeps a connection for the next request.
func (t *streams) keep(c int32) {
	s := &t.all[c]
	s.state, s.idleAt = idle, len(t.idle)
	t.idle = append(t.idle, c)
}

// unidle takes a connection from those that are kept.
func (t *streams) unidle(c int32) {
	at, last := t.all[c].idleAt, len(t.idle)-1
	t.idle[at] = t.idle[last]
	t.all[t.idle[at]].idleAt = at
	t.idle = t.idle[:last]
}
