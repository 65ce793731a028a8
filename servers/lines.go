package servers

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// lineListener gives connections that may speak the line protocol.
type lineListener struct {
	net.Listener
	s *Server
}

// Accept implements net.Listener.
func (l lineListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &lineConn{Conn: c, s: l.s}, nil
}

// lineConn is a connection on which either HTTP or the line protocol is spoken.
// net/http reads from it as from any other. If the first bytes are those of a
// line, that first Read answers all of them, and returns the end of the
// connection when there are no more: so one server accepts, numbers, limits and
// closes both kinds, and a client of HTTP pays nothing but the look.
type lineConn struct {
	net.Conn
	s      *Server
	c      *connection // set before the first Read
	known  io.Closer   // as which the drainer knows it; set with c
	looked bool
	ahead  []byte // bytes of HTTP that were looked at
}

// Read implements net.Conn. net/http never calls it twice at once.
func (l *lineConn) Read(p []byte) (int, error) {
	if !l.looked {
		l.looked = true
		if err := l.look(); err != nil {
			return 0, err
		}
		if string(l.ahead) == linePrefix {
			return 0, l.lines()
		}
	}
	if len(l.ahead) > 0 {
		n := copy(p, l.ahead)
		l.ahead = l.ahead[n:]
		return n, nil
	}
	return l.Conn.Read(p)
}

// CloseWrite ends the way to the client alone.
func (l *lineConn) CloseWrite() error { return closeWrite(l.Conn) }

// look reads until it is clear whether a line begins. The deadline is
// net/http's, for a header.
func (l *lineConn) look() error {
	var err error
	buffer := make([]byte, len(linePrefix))
	for err == nil && len(l.ahead) < len(buffer) && strings.HasPrefix(linePrefix, string(l.ahead)) {
		var n int
		n, err = l.Conn.Read(buffer[len(l.ahead):])
		l.ahead = buffer[:len(l.ahead)+n]
	}
	if len(l.ahead) > 0 {
		return nil // the next Read finds the error again
	}
	return err
}

// lines answers one line after the other. It returns io.EOF or what befell the
// connection.
func (l *lineConn) lines() error {
	in := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(l.ahead), l.Conn), maxLine)
	out := bufio.NewWriter(l.Conn)
	for {
		if err := l.SetReadDeadline(time.Now().Add(idleTimeout)); err != nil {
			return err
		}
		r, broken := readLine(in)
		if broken != nil && !errors.Is(broken, bufio.ErrBufferFull) {
			return broken
		}
		l.s.drainer.track(l.known, http.StateActive)
		err := l.s.answer(l.s.serving, out, l.c, r)
		if err = errors.Join(err, out.Flush()); err != nil {
			return err
		}
		if r.last || broken != nil || l.s.drainer.draining.Load() && in.Buffered() == 0 {
			part(l.Conn, lastWords)
			return io.EOF
		}
		l.s.drainer.track(l.known, http.StateIdle)
	}
}
