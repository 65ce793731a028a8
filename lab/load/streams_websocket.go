package load

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/portlab/portlab/lab"
)

// webSocketSession is a connection of WebSocket (RFC 6455). Somebody always
// reads from it, so that a server's leave is known when it comes.
type webSocketSession struct {
	on      *link
	ws      *websocket.Conn
	named   string        // by a header of the handshake, where the plan has one
	message []byte        // that was sent last
	answers chan answer   // those that have come
	ended   chan struct{} // closed when no more will
	why     error         // valid then
	broken  bool          // it takes no more requests
}

// answer is a message: its beginning, and what is wrong with it.
type answer struct {
	line []byte
	err  error
}

// handshakeError is an answer that is no handshake.
type handshakeError struct{ status int }

func (e *handshakeError) Error() string {
	return "the handshake was answered by " + describeStatus(e.status)
}

func isHandshake(err error) bool {
	_, ok := errors.AsType[*handshakeError](err)
	return ok
}

// noteHandshake notes the status of an answer that is no handshake.
func noteHandshake(s *lab.Sample, err error) error {
	if e, ok := errors.AsType[*handshakeError](err); ok {
		s.Status = e.status
	}
	return err
}

func dialWebSocket(ctx context.Context, on *link, client *http.Client) (session, error) {
	u, err := urlOf(on.target.address, on.load.plan)
	if err != nil {
		return nil, err
	}
	ws, resp, err := websocket.Dial( //nolint:bodyclose // Dial closes it
		context.WithValue(ctx, standingKey{}, on.conn), u.String(),
		&websocket.DialOptions{HTTPClient: client, HTTPHeader: header(), Host: on.load.plan.Host})
	switch {
	case err != nil && resp == nil:
		return nil, err
	case err != nil && resp.StatusCode == http.StatusSwitchingProtocols:
		return nil, &malformedError{err}
	case err != nil:
		return nil, &handshakeError{resp.StatusCode}
	}
	ws.SetReadLimit(maxBodyBytes)
	w := &webSocketSession{on: on, ws: ws, answers: make(chan answer, 1), ended: make(chan struct{})}
	if h := on.load.plan.InstanceHeader; h != "" {
		w.named = resp.Header.Get(h)
	}
	// Whoever begins, the server is to close the connection below (RFC 6455, 7.1.1).
	on.conn.patient.Store(on.load.plan.CloseFirst == lab.ServerEnd)
	go w.read()
	return w, nil
}

// read reads until the connection ends. A server that says more than it was
// asked has to wait.
func (w *webSocketSession) read() {
	defer close(w.ended)
	for {
		_, r, err := w.ws.Reader(context.Background())
		if err != nil {
			w.why = err
			return
		}
		line, err := readBody(r)
		select {
		case w.answers <- answer{line, err}:
		case <-w.on.conn.closed:
			w.why = net.ErrClosed
			return
		}
	}
}

// gone says also whether the server has said what nobody asked.
func (w *webSocketSession) gone() bool {
	select {
	case <-w.ended:
		return true
	default:
		return w.broken || len(w.answers) > 0
	}
}

// close takes leave, if the server is to close first.
func (w *webSocketSession) close() {
	conn := w.on.conn
	if conn.patient.Load() && conn.ended() == nil {
		// A server that does not take leave is not waited for.
		late := time.AfterFunc(maxPatience, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		_ = w.ws.Close(websocket.StatusNormalClosure, "")
		late.Stop()
	}
	_ = w.ws.CloseNow()
	conn.abandon()
	<-w.ended
}

// ask sends a message and reads the next one. After an answer that is wrong, or
// late, nobody knows what comes next: the connection takes no more requests.
func (w *webSocketSession) ask(ctx context.Context, s *lab.Sample) (sent bool, err error) {
	defer func() { w.broken = err != nil }()
	first := &w.on.conn.first
	first.Store(0)
	id := w.on.load.nextID()
	w.message = appendAsk(w.message[:0], id, w.on.load.plan.Path)
	if err := w.ws.Write(ctx, websocket.MessageText, w.message); err != nil {
		return true, err // some of it may have left
	}
	select {
	case a := <-w.answers:
		s.FirstByte = durationOf(first)
		if a.err != nil {
			return true, a.err
		}
		return true, w.name(s, a.line, id)
	case <-w.ended:
		return true, w.why
	case <-ctx.Done():
		s.FirstByte = durationOf(first)
		w.on.conn.patient.Store(false) // it was not asked to close
		return true, ctx.Err()
	}
}

// name notes who gave an answer, as the plan says.
func (w *webSocketSession) name(s *lab.Sample, line []byte, id uint64) error {
	who, err := w.on.load.about.line([]byte(strings.TrimRight(string(line), "\r\n")), id, w.named)
	noteWho(s, who)
	return err
}

// durationOf is a time that another goroutine may set; 0: it has not come.
func durationOf(at *atomic.Int64) time.Duration { return time.Duration(at.Load()) }

// tooLong says whether a message had more bytes than are read.
func tooLong(err error) bool {
	return errors.Is(err, websocket.ErrMessageTooBig) || errors.Is(err, errTooLong)
}
