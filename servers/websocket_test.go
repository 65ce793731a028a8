package servers_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/portlab/portlab/servers"
)

func dialWebSocket(t *testing.T, address, path string) *websocket.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ws, resp, err := websocket.Dial(ctx, "ws://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	if a := answerOf(t, resp); a.Instance != "foo" {
		t.Errorf("the handshake was answered by %+v", a)
	}
	ws.SetReadLimit(1 << 20)
	return ws
}

func send(t *testing.T, ws *websocket.Conn, kind websocket.MessageType, message string) {
	t.Helper()
	if err := ws.Write(t.Context(), kind, []byte(message)); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, ws *websocket.Conn) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	kind, message, err := ws.Read(ctx)
	if err == nil && kind != websocket.MessageText {
		t.Errorf("a message of kind %v", kind)
	}
	return string(message), err
}

// exchange sends a message and reads the answer.
func exchange(t *testing.T, ws *websocket.Conn, message string) string {
	t.Helper()
	send(t, ws, websocket.MessageText, message)
	answer, err := receive(t, ws)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(answer, "\n") {
		t.Errorf("%.40q does not end as a line does", answer)
	}
	return strings.TrimSuffix(answer, "\n")
}

func TestMessagesSayWhoAnswered(t *testing.T) {
	r := start(t, config("foo"))
	for connection, path := range []string{"/", "/any/path", "/healthz"} {
		ws := dialWebSocket(t, r.address(), path)
		for request, line := range []string{"portlab 5 /", "portlab 5 /\n"} {
			a := lineAnswer(t, exchange(t, ws, line), "5")
			if a.Connection != uint64(connection)+1 || a.Request != uint64(request)+1 {
				t.Errorf("got %+v, want request %d on connection %d", a, request+1, connection+1)
			}
		}
		if got := exchange(t, ws, "hello"); !strings.HasPrefix(got, "0 error") {
			t.Errorf("got %q", got)
		}
		value, found := strings.CutSuffix(exchange(t, ws, "portlab 6 /?delay=20ms&body=100000"), " "+strings.Repeat("x", 100_000))
		if a := lineAnswer(t, value[:min(len(value), 1000)], "6"); !found || a.Service < 20*time.Millisecond {
			t.Errorf("padded: %v, %+v", found, a)
		}
	}
	got := scrape(t, r.address())
	if n := single(t, got, "portlab_requests_total", "code", "101").GetCounter().GetValue(); n != 3 {
		t.Errorf("%v handshakes were counted", n)
	}
	if n := single(t, got, "portlab_requests_total", "code", "200").GetCounter().GetValue(); n != 9 {
		t.Errorf("%v messages were counted", n)
	}
}

func TestMessagesThatCannotBeEndTheConnection(t *testing.T) {
	r := start(t, config("foo"))
	for name, c := range map[string]struct {
		kind    websocket.MessageType
		message string
		want    websocket.StatusCode
	}{
		"binary":   {websocket.MessageBinary, "portlab 1 /", websocket.StatusUnsupportedData},
		"too long": {websocket.MessageText, "portlab 1 /" + strings.Repeat("x", 5000), websocket.StatusMessageTooBig},
	} {
		ws := dialWebSocket(t, r.address(), "/")
		send(t, ws, c.kind, c.message)
		if got, err := receive(t, ws); websocket.CloseStatus(err) != c.want {
			t.Errorf("%s: got %q, %v; want status %d", name, got, err, c.want)
		}
	}
}

func TestGarbageOnWebSocketsEndsThemAlone(t *testing.T) {
	r := start(t, config("foo"))
	for _, garbage := range []string{
		"\x81\x05hello", // not masked
		"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",     // reserved bits
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00abcd", // of 2^64-1 bytes
		"GET / HTTP/1.1\r\n\r\n",
	} {
		c := dial(t, r.address())
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: portlab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(c.answers, nil)
		if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("handshake: %v, %v", resp, err)
		}
		if _, err := c.Write([]byte(garbage)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.answers.WriteTo(new(buffer)); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %v, want the end of the connection", garbage, err)
		}
	}
	if _, body := dial(t, r.address()).get("/healthz"); body != "ok\n" {
		t.Errorf("health afterwards: %q", body)
	}
}

func TestDrainFinishesMessagesUnderWay(t *testing.T) {
	r := start(t, config("foo"))
	idle, slow := dialWebSocket(t, r.address(), "/"), dialWebSocket(t, r.address(), "/")
	send(t, slow, websocket.MessageText, "portlab 2 /?delay=300ms")
	awaitInFlight(t, r, 1)
	r.stop(nil)
	await(t, "new connections to be refused", refused(r.address()))
	lineAnswer(t, exchange(t, idle, "portlab 3 /"), "3")
	answer, err := receive(t, slow)
	if err != nil {
		t.Fatal(err)
	}
	lineAnswer(t, strings.TrimSuffix(answer, "\n"), "2")
	for _, ws := range []*websocket.Conn{idle, slow} {
		if _, err := receive(t, ws); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("after the drain: %v, want status %d", err, websocket.StatusGoingAway)
		}
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

// TestDrainIsNotHeldUpByIdleMessages has clients that never read what is sent
// to them, the end of the connection included.
func TestDrainIsNotHeldUpByIdleMessages(t *testing.T) {
	r := start(t, config("foo"))
	for range 10 {
		dialWebSocket(t, r.address(), "/")
	}
	r.stop(errors.New("the test says so"))
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

func TestDrainRefusesHandshakes(t *testing.T) {
	r := start(t, speaking(servers.TCP))
	late := dial(t, r.address())
	slow := dial(t, r.address())
	if _, err := slow.Write([]byte("portlab 2 /?delay=300ms\n")); err != nil {
		t.Fatal(err)
	}
	awaitInFlight(t, r, 1)
	r.stop(nil)
	await(t, "new connections to be refused", refused(r.address()))
	if _, err := late.Write([]byte("GET / HTTP/1.1\r\nHost: portlab.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(late.answers, nil); err != nil || resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %v, %v; want 503", resp, err)
	}
	lineAnswer(t, lineOf(t, slow.answers), "2")
}
