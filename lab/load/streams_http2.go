package load

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/portlab/portlab/lab"
)

// http2Session is a connection of HTTP/2 (RFC 9113).
type http2Session struct {
	on      *link
	conn    *http.ClientConn
	request *http.Request // of which each one is a copy
}

func dialHTTP2(ctx context.Context, on *link, t *http.Transport) (session, error) {
	u, err := urlOf(on.target.address, on.load.plan)
	if err != nil {
		return nil, err
	}
	conn, err := t.NewClientConn(context.WithValue(ctx, standingKey{}, on.conn), "http", u.Host)
	if err != nil {
		return nil, err
	}
	return &http2Session{on: on, conn: conn, request: &http.Request{
		Method: http.MethodGet, URL: u, Host: on.load.plan.Host, Header: header(),
		Proto: "HTTP/2.0", ProtoMajor: 2,
	}}, nil
}

// gone: after GOAWAY, requests that are under way may still be answered.
func (h *http2Session) gone() bool {
	return h.conn.Err() != nil || h.conn.Available() == 0 && h.conn.InFlight() == 0
}

func (h *http2Session) close() {
	_ = h.conn.Close()
	h.on.conn.abandon() // if it was closed already, so much the better
}

// ask makes a request on a stream of its own.
func (h *http2Session) ask(ctx context.Context, s *lab.Sample) (sent bool, err error) {
	var wrote atomic.Bool
	var first atomic.Int64
	trace := &httptrace.ClientTrace{
		WroteHeaders:         func() { wrote.Store(true) },
		GotFirstResponseByte: func() { first.Store(int64(h.on.load.now())) },
	}
	resp, err := h.conn.RoundTrip(h.request.WithContext(httptrace.WithClientTrace(ctx, trace)))
	s.FirstByte = durationOf(&first)
	if err != nil {
		return wrote.Load(), err
	}
	defer resp.Body.Close()
	s.Status = resp.StatusCode
	body, err := readBody(resp.Body)
	// What befell the connection explains more than an odd header does.
	if e := h.on.load.about.http(s, resp.Header, body); err == nil {
		err = e
	}
	return true, err
}

// readBody reads a body to its end, and keeps as much as a pattern sees.
func readBody(body io.Reader) ([]byte, error) {
	head, err := io.ReadAll(io.LimitReader(body, lab.InstancePatternBytes))
	if err != nil {
		return head, err
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(body, maxBodyBytes-lab.InstancePatternBytes+1))
	if err == nil && rest > maxBodyBytes-lab.InstancePatternBytes {
		err = errTooLong
	}
	return head, err
}

// http2StreamError is the error of one stream. net/http's own is not exported,
// but fills in one of the same form (its method As).
type http2StreamError struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

// Error implements error.
func (e http2StreamError) Error() string { return "stream error" }

// refusedStream is the code of a stream that was not begun (RFC 9113, 7).
const refusedStream = 0x7

// byServer says whether the server reset the stream, and not the client, for
// what it could not read.
func (e http2StreamError) byServer() bool {
	return e.Cause != nil && e.Cause.Error() == "received from peer"
}

func streamErrorOf(err error) (http2StreamError, bool) {
	var e http2StreamError
	ok := errors.As(err, &e)
	return e, ok
}
