package load

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// ready implements transport.
func (t *datagrams) ready(f, generation int32, _ uint32) {
	s := &t.all[f]
	const atOnce = 64 // then others have their turn
	for range atOnce {
		if s.generation != generation || s.endpoint == nil {
			return // of a socket that is gone since
		}
		n, err := receiveFrom(s.fd, t.loop.buffer)
		switch {
		case err == unix.EAGAIN || err == unix.EINTR:
			return
		case err == unix.ECONNREFUSED:
			t.refused(f, none)
			return
		case err != 0:
			for len(s.underWay) > 0 {
				t.failed(s.underWay[0], "recv", err)
			}
			return
		}
		t.take(f, t.loop.buffer[:n], t.loop.job.now())
		if len(s.underWay) == 0 {
			return // what comes from now on is an event of its own
		}
	}
}

// take takes in a datagram.
func (t *datagrams) take(f int32, b []byte, now time.Duration) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	x := t.answers(f, b)
	if x == none {
		return // to a request whose time is over
	}
	it, s := &t.loop.exchanges.all[x], &t.all[f]
	if it.queue == &t.loop.exchanges.held {
		it.sample.Duplicates++
		return
	}
	sample := &it.sample
	sample.FirstByte, sample.Done = max(now, sample.Due), max(now, sample.Due)
	sample.Reordered = it.turn < s.answered
	s.answered = max(s.answered, it.turn)
	who, odd := t.about.readLine(b[:min(len(b), lab.InstancePatternBytes)], it.id)
	if odd == nil {
		noteWho(sample, who)
	}
	judge(sample, odd, lab.UDP)
	t.leave(x)
	s.settling++
	t.loop.hold(x, settleTime)
	t.sort(f)
}

// answers finds the exchange of a flow that a datagram answers; none if there
// is none. A server that does not repeat the id can be told only where one
// request at a time is under way.
func (t *datagrams) answers(f int32, b []byte) int32 {
	s := &t.all[f]
	if id, _, ok := cutID(b); ok {
		x := int32(id & (1<<indexBits - 1))
		if int(x) >= len(t.loop.exchanges.all) {
			return none
		}
		if it := &t.loop.exchanges.all[x]; it.id == id && it.on == f && it.queue != nil {
			return x
		}
		if t.loop.job.plan.Streams > 1 || bytes.Contains(b, []byte(" v=")) {
			return none
		}
	}
	if t.loop.job.plan.Streams == 1 && len(s.underWay) == 1 {
		return s.underWay[0]
	}
	return none
}
