package load

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// webSocketSession is a connection of WebSocket (RFC 6455).
type webSocketSession struct {
	on      *link
	ws      *websocket.Conn
	named   string // by a header of the handshake, where the plan has one
	message []byte // that was sent last
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
	ws, resp, err := websocket.Dial(context.WithValue(ctx, standingKey{}, on.conn), u.String(),
		&websocket.DialOptions{HTTPClient: client, HTTPHeader: header(), Host: on.load.plan.Host})
	if err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, &handshakeError{resp.StatusCode}
	}
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(maxBodyBytes)
	session := &webSocketSession{on: on, ws: ws}
	if h := on.load.plan.InstanceHeader; h != "" {
		session.named = resp.Header.Get(h)
	}
	return session, nil
}

// The first byte of a frame that closes (RFC 6455, 5.2).
const closeFrame = 0x88

// gone: nobody reads between two requests, so that what came is still there.
func (w *webSocketSession) gone() bool {
	first, some, over := w.on.conn.waiting()
	return over || some && first == closeFrame
}

// close takes leave, if the server is to close first.
func (w *webSocketSession) close() {
	conn := w.on.conn
	if conn.ends == lab.ServerEnd && conn.ended() == nil {
		conn.taking = true
		// A server that does not take leave is not waited for.
		late := time.AfterFunc(maxPatience, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		_ = w.ws.Close(websocket.StatusNormalClosure, "")
		late.Stop()
	}
	_ = w.ws.CloseNow()
	conn.abandon()
}

// ask sends a message and reads the next one.
func (w *webSocketSession) ask(ctx context.Context, s *lab.Sample) (sent bool, err error) {
	first := &w.on.conn.first
	first.Store(0)
	id := w.on.load.nextID()
	w.message = appendAsk(w.message[:0], id, w.on.load.plan.Path)
	if err := w.ws.Write(ctx, websocket.MessageText, w.message); err != nil {
		return true, err // some of it may have left
	}
	_, r, err := w.ws.Reader(ctx)
	s.FirstByte = durationOf(first)
	if err != nil {
		return true, err
	}
	line, err := readBody(io.NopCloser(r))
	if err != nil {
		return true, err
	}
	return true, w.name(s, line, id)
}

// name notes who gave an answer, as the plan says.
func (w *webSocketSession) name(s *lab.Sample, line []byte, id uint64) error {
	l := w.on.load
	l.naming.Lock()
	defer l.naming.Unlock()
	var who wire.Answer
	who, err := l.about.readLine([]byte(strings.TrimRight(string(line), "\r\n")), id)
	if err == nil && w.named != "" {
		who.Instance, err = l.about.name([]byte(w.named))
	}
	noteWho(s, who)
	return err
}

// durationOf is a time that another goroutine may set; 0: it has not come.
func durationOf(at *atomic.Int64) time.Duration { return time.Duration(at.Load()) }

// tooLong says whether a message had more bytes than are read.
func tooLong(err error) bool {
	return errors.Is(err, websocket.ErrMessageTooBig) || errors.Is(err, errTooLong)
}
