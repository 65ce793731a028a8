package load

import (
	"net/http"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// failed ends the exchange of a connection, and the connection, after a system
// call has failed.
func (t *streams) failed(c int32, call string, err unix.Errno) {
	s := &t.all[c]
	if err == unix.ECONNRESET || err == unix.EPIPE {
		s.peerClosed = true
	}
	fault := classify(err, s.stood != 0)
	text := exhaustion(err, t.loop.ports)
	if text == "" {
		text = detail(os.NewSyscallError(call, err))
	}
	if fault == lab.ClientLimit {
		t.loop.exhausted()
	}
	t.lost(c, fault, text)
}

// metItself: where a port of the ephemeral range has no listener, a client can
// be given that very port and meet itself (RFC 9293, 3.5: simultaneous open).
func (t *streams) metItself(c int32) {
	t.lost(c, lab.Refused, "connect: nobody listens but the client itself: "+syscall.ECONNREFUSED.Error())
}

// lost ends an exchange with a fault, and its connection. What befell the
// connection explains more than an odd header does.
func (t *streams) lost(c int32, fault lab.Fault, text string) {
	x := t.all[c].exchange
	_ = t.all[c].parser.note(&t.loop.exchanges.all[x].sample)
	t.loop.fail(x, fault, text)
	t.part(c)
}

// part closes a connection, and reports its exchange with who closed first.
func (t *streams) part(c int32) {
	s := &t.all[c]
	x, stood := s.exchange, s.stood != 0
	s.exchange = none
	if stood {
		t.loop.exchanges.all[x].sample.ClosedFirst = s.closer()
	}
	t.shut(c)
	t.loop.report(x)
}

func (s *stream) closer() lab.End {
	if s.peerClosed {
		return lab.ServerEnd
	}
	return lab.ClientEnd
}

// shut closes a connection that has no exchange.
func (t *streams) shut(c int32) {
	s := &t.all[c]
	if s.stood != 0 && !s.peerClosed {
		t.loop.closedFirst++
	}
	if s.fd >= 0 {
		closeSocket(s.fd)
	}
	s.state, s.fd = unused, -1
	t.free = append(t.free, c)
}

// close implements transport.
func (t *streams) close() {
	for c := range t.all {
		if t.all[c].state != unused {
			t.shut(int32(c))
		}
	}
}

// judge decides whether a whole answer is a good one.
func judge(s *lab.Sample, odd error, protocol lab.Protocol) {
	switch {
	case odd != nil:
		s.Fault, s.Detail = lab.BadAnswer, detail(odd)
	case protocol == lab.HTTP1 && s.Status != http.StatusOK:
		s.Fault, s.Detail = lab.BadAnswer, describeStatus(s.Status)
	}
}
