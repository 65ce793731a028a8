package servers

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// wantsWebSocket says whether a request is the handshake of RFC 6455, 4.1.
func wantsWebSocket(r *http.Request) bool {
	return r.ProtoMajor == 1 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// upgrade begins to answer messages on the connection of a handshake. The
// handshake itself is answered as a request of HTTP, so that it says too who
// answered; messages are counted from 1.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if s.drainer.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	// Pages of any origin may ask: there is nothing here to be protected.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return // Accept has said it to the client
	}
	ws.SetReadLimit(maxLine)
	c := r.Context().Value(connectionKey{}).(*connection)
	m := &messages{s: s, ws: ws, conn: c.conn, c: &connection{number: c.number, client: c.client}}
	if !s.drainer.adopt(m, m.serve) {
		_ = ws.CloseNow()
	}
}

// messages is a WebSocket connection.
type messages struct {
	s    *Server
	ws   *websocket.Conn
	conn net.Conn // below ws
	c    *connection
}

// serve answers one message after the other until the client closes, sends
// what is no text, or is idle for too long.
func (m *messages) serve() {
	defer func() { _ = m.ws.CloseNow() }()
	var out bytes.Buffer
	for {
		kind, line, err := m.read()
		if err != nil {
			return // and the client knows why, as far as it can be told
		}
		if kind != websocket.MessageText {
			m.part(websocket.StatusUnsupportedData, "a request is a text message")
			return
		}
		m.s.drainer.track(m, http.StateActive)
		out.Reset()
		if m.s.answer(m.s.serving, &out, m.c, parseLine(line)) != nil {
			return
		}
		if m.ws.Write(m.s.serving, websocket.MessageText, out.Bytes()) != nil {
			return
		}
		if m.s.drainer.draining.Load() {
			m.part(websocket.StatusGoingAway, "draining")
			return
		}
		m.s.drainer.track(m, http.StateIdle)
		if out.Cap() > 1<<20 {
			out = bytes.Buffer{} // one long answer is no reason to keep so much
		}
	}
}

func (m *messages) read() (websocket.MessageType, []byte, error) {
	ctx, cancel := context.WithTimeout(m.s.serving, idleTimeout)
	defer cancel()
	return m.ws.Read(ctx)
}

// part closes with a handshake (RFC 6455, 7.1.2), for which the client has as
// long as a drain waits.
func (m *messages) part(code websocket.StatusCode, why string) {
	late := time.AfterFunc(lastWords, func() { _ = m.conn.Close() })
	defer late.Stop()
	_ = m.ws.Close(code, why) // if it fails, the connection is gone, as it should be
}

// Close ends a connection on which nothing is under way, or for which there is
// no more time.
func (m *messages) Close() error {
	m.part(websocket.StatusGoingAway, "draining")
	return nil
}
