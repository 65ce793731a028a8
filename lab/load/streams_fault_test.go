package load

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// Frames of HTTP/2 (RFC 9113, 4.1 and 6), as far as a script needs them.
const (
	headersFrame  = 0x1
	resetFrame    = 0x3
	settingsFrame = 0x4
	goAwayFrame   = 0x7

	endsBoth = 0x5 // END_STREAM and END_HEADERS

	internalError = 0x2
)

func frame(kind, flags byte, stream uint32, payload ...byte) string {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(append(binary.BigEndian.AppendUint32(head, stream), payload...))
}

func numbers(all ...uint32) (b []byte) {
	for _, n := range all {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func reset(stream, code uint32) string { return frame(resetFrame, 0, stream, numbers(code)...) }

func goAway(last, code uint32) string { return frame(goAwayFrame, 0, 0, numbers(last, code)...) }

// answered is an answer with status 200 (RFC 7541, appendix A) and no body.
func answered(stream uint32) string { return frame(headersFrame, endsBoth, stream, 0x88) }

// scripted is a server of HTTP/2 that does for each request, by the number of
// its stream, what a script says; it closes when that is the end.
func scripted(t *testing.T, script func(stream uint32) (says string, end bool)) netip.AddrPort {
	t.Helper()
	return rawServer(t, func(c *net.TCPConn) {
		in := bufio.NewReader(c)
		if _, err := in.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
			return
		}
		_, _ = io.WriteString(c, frame(settingsFrame, 0, 0))
		for {
			var head [9]byte
			if _, err := io.ReadFull(in, head[:]); err != nil {
				return
			}
			if _, err := in.Discard(int(head[0])<<16 | int(head[1])<<8 | int(head[2])); err != nil {
				return
			}
			if head[3] != headersFrame {
				continue
			}
			says, end := script(binary.BigEndian.Uint32(head[5:]))
			_, _ = io.WriteString(c, says)
			if end {
				_ = c.CloseWrite() // and not all of it: that would be a reset, for what was not read
				untilGone(c)
				return
			}
		}
	})
}

func TestFaultsOfStreams(t *testing.T) {
	for name, c := range map[string]struct {
		says   string
		end    bool
		want   lab.Fault
		detail string
	}{
		"refused":                     {reset(1, refusedStream), true, lab.Refused, "REFUSED_STREAM"},
		"reset":                       {reset(1, internalError), true, lab.Reset, "INTERNAL_ERROR"},
		"reset, connection kept":      {reset(1, internalError), false, lab.Reset, "INTERNAL_ERROR"},
		"sent away":                   {goAway(0, 0), true, lab.Reset, "GOAWAY"},
		"sent away in anger":          {goAway(0, internalError), true, lab.Reset, "GOAWAY"},
		"closed":                      {"", true, lab.Reset, ""},
		"accepted, sent away, closed": {goAway(1, 0), true, lab.Reset, "GOAWAY"},
		"no such frame":               {frame(headersFrame, endsBoth, 0, 0x88), false, lab.BadAnswer, ""},
		"no HTTP/2":                   {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", false, lab.BadAnswer, ""},
		"no status":                   {frame(headersFrame, endsBoth, 1), false, lab.BadAnswer, ""},
		"interim":                     {frame(headersFrame, endsBoth, 1, 0x08, 0x03, '1', '0', '3'), false, lab.BadAnswer, ""},
		"header cut short":            {"\x00\x00\x10\x01", true, lab.Reset, ""},
	} {
		t.Run(name, func(t *testing.T) {
			to := scripted(t, func(uint32) (string, bool) { return c.says, c.end })
			p := streamsPlan(lab.HTTP2, 3, 1, 1)
			p.PerConnection = 1
			samples, _ := offer(t, Local{}, p, to)
			allFaults(t, samples, c.want)
			for _, s := range samples {
				if !strings.Contains(s.Detail, c.detail) || s.Connected == 0 {
					t.Errorf("detail %q, want %q; connected %s", s.Detail, c.detail, s.Connected)
				}
			}
		})
	}
}

// TestFaultOfOneStreamIsNotThatOfOthers has every other stream reset.
func TestFaultOfOneStreamIsNotThatOfOthers(t *testing.T) {
	to := scripted(t, func(stream uint32) (string, bool) {
		if stream%4 == 1 {
			return answered(stream), false
		}
		return reset(stream, internalError), false
	})
	counts := map[lab.Fault]int{}
	samples, _ := offer(t, Local{}, streamsPlan(lab.HTTP2, 20, 1, 1), to)
	for _, s := range samples {
		counts[s.Fault]++
		if s.Connection != 0 {
			t.Errorf("request %d on connection %d", s.Request, s.Connection)
		}
	}
	if counts[""] != 10 || counts[lab.Reset] != 10 {
		t.Errorf("faults %v, want 10 of 20 reset", counts)
	}
}

// TestConnectionsThatTheServerLeaves: what is kept is opened anew when the
// server has gone, and no request is lost.
func TestConnectionsThatTheServerLeaves(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	servers := map[lab.Protocol]netip.AddrPort{
		lab.HTTP2: scripted(t, func(stream uint32) (string, bool) { return answered(stream) + goAway(stream, 0), true }),
		lab.WebSocket: webSocketServer(t, func(ctx context.Context, ws *websocket.Conn) {
			_ = ws.Write(ctx, websocket.MessageText, []byte("hello"))
			_ = ws.Close(websocket.StatusGoingAway, "")
		}),
	}
	for protocol, to := range servers {
		p := streamsPlan(protocol, 20, 1, 1)
		p.Rate = 100 // so that the end of a connection has come before the next request
		samples, client := offer(t, Local{}, p, to)
		allFaults(t, samples, "")
		for _, s := range samples {
			if s.Connection != s.Request {
				t.Errorf("%s: request %d on connection %d", protocol, s.Request, s.Connection)
			}
		}
		// The last one may be over before the server has left, and after GOAWAY
		// both ends close.
		if protocol == lab.WebSocket && client.ClosedFirst > 1 {
			t.Errorf("the client closed %d connections first", client.ClosedFirst)
		}
	}
}

// webSocketServer reads a message on each connection and does as it is told.
func webSocketServer(t *testing.T, then func(ctx context.Context, ws *websocket.Conn)) netip.AddrPort {
	t.Helper()
	return http2Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = ws.CloseNow() }()
		if _, _, err := ws.Read(r.Context()); err == nil {
			then(r.Context(), ws)
		}
	}))
}

func TestFaultsOfMessages(t *testing.T) {
	for name, c := range map[string]struct {
		then   func(ctx context.Context, ws *websocket.Conn)
		want   lab.Fault
		detail string
	}{
		"closed": {func(_ context.Context, ws *websocket.Conn) { _ = ws.Close(websocket.StatusInternalError, "no more") },
			lab.Reset, "no more"},
		"dropped": {func(_ context.Context, ws *websocket.Conn) { _ = ws.CloseNow() }, lab.Reset, ""},
		"an error": {func(ctx context.Context, ws *websocket.Conn) {
			_ = ws.Write(ctx, websocket.MessageText, []byte("1 error no\n"))
		},
			lab.BadAnswer, "no"},
		"unreadable": {func(ctx context.Context, ws *websocket.Conn) {
			_ = ws.Write(ctx, websocket.MessageText, []byte("1 v=99\n"))
		},
			lab.BadAnswer, "version"},
	} {
		t.Run(name, func(t *testing.T) {
			p := streamsPlan(lab.WebSocket, 1, 1, 1)
			samples, _ := offer(t, Local{}, p, webSocketServer(t, c.then))
			allFaults(t, samples, c.want)
			if !strings.Contains(samples[0].Detail, c.detail) {
				t.Errorf("detail %q, want %q", samples[0].Detail, c.detail)
			}
		})
	}
}

func TestHandshakesThatAreNone(t *testing.T) {
	const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	for name, c := range map[string]struct {
		handle func(*net.TCPConn)
		want   lab.Fault
		status int
	}{
		"status 503":       {says("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), lab.BadAnswer, 503},
		"status 200":       {says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), lab.BadAnswer, 200},
		"a redirect":       {says("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"), lab.BadAnswer, 302},
		"another's accept": {says(switching + "Sec-WebSocket-Accept: x\r\n\r\n"), lab.BadAnswer, 0},
		"no HTTP":          {saysAndHolds("SSH-2.0-OpenSSH_9.2\r\n\r\n"), lab.BadAnswer, 0},
		"closed":           {says(""), lab.Reset, 0},
		"reset":            {resets(""), lab.Reset, 0},
	} {
		t.Run(name, func(t *testing.T) {
			samples, _ := offer(t, Local{}, streamsPlan(lab.WebSocket, 2, 1, 1), rawServer(t, c.handle))
			allFaults(t, samples, c.want)
			if s := samples[0]; s.Status != c.status || s.Connected == 0 {
				t.Errorf("status %d, want %d; connected %s", s.Status, c.status, s.Connected)
			}
		})
	}
}

func TestFaultsBeforeTheConnection(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	closed := addressOf(l)
	l.Close()
	for _, protocol := range longLived {
		p := streamsPlan(protocol, 4, 2, 1)
		samples, _ := offer(t, Local{}, p, closed)
		allFaults(t, samples, lab.Refused)
		p.Timeout = 50 * time.Millisecond
		samples, _ = offer(t, Local{}, p, fullListener(t))
		allFaults(t, samples, lab.ConnectTimeout)
		for _, s := range samples {
			if s.Connected != 0 || s.Latency() < p.Timeout {
				t.Errorf("%s: sample %+v", protocol, s)
			}
		}
	}
}

func TestAnswersThatDoNotCome(t *testing.T) {
	servers := map[lab.Protocol]netip.AddrPort{
		lab.HTTP2:     scripted(t, func(uint32) (string, bool) { return "", false }),
		lab.WebSocket: webSocketServer(t, func(ctx context.Context, _ *websocket.Conn) { <-ctx.Done() }),
	}
	for protocol, to := range servers {
		p := streamsPlan(protocol, 4, 2, 1)
		p.Timeout = 50 * time.Millisecond
		samples, _ := offer(t, Local{}, p, to)
		allFaults(t, samples, lab.ReadTimeout)
		for _, s := range samples {
			if s.Connected == 0 || s.FirstByte != 0 || s.Latency() < p.Timeout {
				t.Errorf("%s: sample %+v", protocol, s)
			}
		}
	}
}

// TestCancelCutsStreamsOff has a server that answers five requests and then
// none, until all workers hang.
func TestCancelCutsStreamsOff(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	const answers, workers = 5, 3
	for _, protocol := range longLived {
		ctx, cancel := context.WithCancel(t.Context())
		var asked atomic.Int32
		answer := func() bool {
			n := asked.Add(1)
			if n == answers+workers {
				cancel()
			}
			return n <= answers
		}
		to := http2Server(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if protocol == lab.WebSocket {
				conversation(w, r, answer)
			} else if !answer() {
				<-r.Context().Done()
			}
		}))
		p := streamsPlan(protocol, 1000, workers, 1)
		p.Timeout = time.Hour // only the cancellation can end it
		answered := 0
		_, err := Streams{}.Drive(ctx, Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) {
			answered++
			if !s.OK() {
				t.Errorf("%s: %s: %s", protocol, s.Fault, s.Detail)
			}
		})
		if !errors.Is(err, context.Canceled) || answered != answers {
			t.Errorf("%s: %v and %d samples", protocol, err, answered)
		}
		cancel()
	}
}

// conversation answers messages until it is not to, and then reads on.
func conversation(w http.ResponseWriter, r *http.Request, answer func() bool) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = ws.CloseNow() }()
	for {
		if _, _, err := ws.Read(context.Background()); err != nil {
			return
		}
		if answer() {
			_ = ws.Write(context.Background(), websocket.MessageText, []byte("hello"))
		}
	}
}
