package servers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxDatagram is the most bytes that a datagram carries over IPv4: 65,535
	// less the headers of IP and UDP.
	maxDatagram = 65_535 - 20 - 8
	// maxWaiting is how many datagrams may ask for a delay at once.
	maxWaiting = 10_000
)

var errLongAnswer = fmt.Errorf("the answer does not fit into a datagram of %d bytes", maxDatagram)

// datagrams answers on one UDP socket.
type datagrams struct {
	*net.UDPConn
	s       *Server
	waiting atomic.Int64
}

// serve answers until stop, and then what has come before.
func (u *datagrams) serve(stopped *atomic.Bool) error {
	line, control := make([]byte, maxDatagram), make([]byte, controlBytes)
	for {
		n, oobn, _, from, err := u.ReadMsgUDPAddrPort(line, control)
		switch {
		case err == nil:
			u.take(line[:n], control[:oobn], from)
		case stopped.Load():
			return u.rest(line, control)
		case !transient(err):
			return err
		}
	}
}

// transient says whether an error is one of a datagram, or of one moment.
func transient(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// stop has serve wait for datagrams no longer.
func (u *datagrams) stop() { _ = u.SetReadDeadline(time.Unix(1, 0)) }

// rest answers what waits in the socket, for a limited time.
func (u *datagrams) rest(line, control []byte) error {
	if err := u.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	for end := time.Now().Add(lastWords); time.Now().Before(end); {
		var m received
		var more bool
		if err := raw.Read(func(fd uintptr) bool { m, more = receive(int(fd), line, control); return true }); err != nil {
			return err
		}
		if !more {
			return nil
		}
		u.take(line[:m.bytes], control[:m.control], m.from)
	}
	return nil
}

// take answers a datagram: now, or on a goroutine of its own if it asks for a
// delay, which must not hold the others up.
func (u *datagrams) take(line, control []byte, from netip.AddrPort) {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	c := u.s.peers.of(from)
	r := parseLine(line)
	switch {
	case len(line) > maxLine:
		r = lineRequest{id: r.id, bad: errLongLine}
	case r.bad == nil && r.work.body >= maxDatagram:
		r.bad = errLongAnswer
	case r.bad == nil && r.work.delay > 0 && u.waiting.Load() >= maxWaiting:
		r.bad = fmt.Errorf("%d datagrams wait for their delay already", maxWaiting)
	}
	u.s.drainer.begin()
	if r.bad != nil || r.work.delay == 0 {
		u.answer(r, c, from, source(control))
		return
	}
	u.waiting.Add(1)
	at := bytes.Clone(source(control))
	go func() {
		defer u.waiting.Add(-1)
		u.answer(r, c, from, at)
	}()
}

// answer answers from the address that was asked. A datagram that cannot be
// sent is lost, as it might be on its way.
func (u *datagrams) answer(r lineRequest, c *connection, to netip.AddrPort, at []byte) {
	defer u.s.drainer.end()
	var out bytes.Buffer
	if u.s.answer(u.s.serving, &out, c, r) != nil {
		return
	}
	if out.Len() > maxDatagram {
		out.Reset()
		fmt.Fprintf(&out, "%d error %v\n", r.id, errLongAnswer)
	}
	_ = u.send(out.Bytes(), at, to)
}

func (u *datagrams) send(answer, at []byte, to netip.AddrPort) error {
	_, _, err := u.WriteMsgUDPAddrPort(answer, at, to)
	return err
}
