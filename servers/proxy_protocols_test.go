package servers_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// Each stream of HTTP/2 takes a turn, though all are on one connection.
func TestProxySpreadsHTTP2Streams(t *testing.T) {
	foo, bar := start(t, config("foo")), start(t, config("bar"))
	g := startProxy(t, foo.upstream(1), bar.upstream(1))
	c := http2Client(t)
	got := map[string]int{}
	for range 10 {
		resp, err := c.Get("http://" + g.address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.ProtoMajor != 2 {
			t.Errorf("answered by %s, %v", resp.Proto, err)
		}
		got[answerOf(t, resp).Instance]++
	}
	if got["foo"] != 5 || got["bar"] != 5 {
		t.Errorf("10 streams went %v, want 5 to each", got)
	}
}

// A WebSocket keeps to the upstream of its handshake, and takes its turn only.
func TestProxyKeepsAWebSocketTogether(t *testing.T) {
	foo, bar := start(t, config("foo")), start(t, config("bar"))
	g := startProxy(t, foo.upstream(1), bar.upstream(1))
	ws := dialWebSocket(t, g.address, "/")
	for i := range 5 {
		id := fmt.Sprint(i)
		answer := exchange(t, ws, "portlab "+id+" /\n")
		if a := lineAnswer(t, strings.TrimSuffix(answer, "\n"), id); a.Instance != "foo" || a.Request != uint64(i+1) {
			t.Errorf("message %d was answered by %+v", i, a)
		}
	}
	if resp, _ := dial(t, g.address).get("/"); answerOf(t, resp).Instance != "bar" {
		t.Error("the turn went on with the messages, not with the handshake")
	}
}
