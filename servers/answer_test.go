package servers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/servers"
)

func TestAnswersAsInTheArticle(t *testing.T) {
	r := start(t, config("foo"))
	resp, body := dial(t, r.address()).get("/")
	if resp.StatusCode != http.StatusOK || body != "Hello from foo\n" {
		t.Errorf("got %s and %q", resp.Status, body)
	}
}

func TestSaysWhoAnswered(t *testing.T) {
	r := start(t, config(`café "foo"`))
	for connection := uint64(1); connection <= 3; connection++ {
		c := dial(t, r.address())
		for request, target := range []string{"/", "/healthz", "/metrics", "/?delay=bad", "/a//b?body=0"} {
			resp, _ := c.get(target)
			a := answerOf(t, resp)
			if a.Instance != `café "foo"` || a.Connection != connection || a.Request != uint64(request)+1 {
				t.Errorf("%s: got %+v, want connection %d, request %d", target, a, connection, request+1)
			}
			if want := c.LocalAddr().String(); a.Client.String() != want {
				t.Errorf("%s: client %v, want %s", target, a.Client, want)
			}
		}
	}
}

func TestDelayIsServiceTime(t *testing.T) {
	const delay = 20 * time.Millisecond
	c := dial(t, start(t, config("foo")).address())
	begun := time.Now()
	resp, _ := c.get(fmt.Sprintf("/?delay=%v", delay))
	elapsed := time.Since(begun)
	if got := answerOf(t, resp).Service; got < delay || got > elapsed {
		t.Errorf("service time %v, want at least the delay of %v and at most the client's %v", got, delay, elapsed)
	}
}

func TestBodyHasTheSizeAskedFor(t *testing.T) {
	c := dial(t, start(t, config("foo")).address())
	for _, size := range []int{0, 1, 15, 16, 1024, 32 << 10, 100_001, servers.MaxBody} {
		resp, body := c.get(fmt.Sprintf("/?body=%d", size))
		if len(body) != size || resp.ContentLength != int64(size) {
			t.Errorf("body=%d: got %d bytes, Content-Length %d", size, len(body), resp.ContentLength)
		}
		if want := strings.Repeat("Hello from foo\n", size/15+1)[:size]; body != want {
			t.Errorf("body=%d is not the greeting again and again", size)
		}
	}
}

func TestBadWorkIsRefused(t *testing.T) {
	c := dial(t, start(t, config("foo")).address())
	for query, what := range map[string]string{
		"delay=5":        "delay must be",
		"delay=-1s":      "delay must be",
		"delay=":         "delay must be",
		"delay=61s":      "1m0s",
		"body=-1":        "body must be",
		"body=1k":        "body must be",
		"body=16777217":  "16777216",
		"body=%zz":       "cannot be read",
		"body=1;delay=1": "cannot be read",
	} {
		resp, body := c.get("/?" + query)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(body, what) {
			t.Errorf("?%s: got %s and %q, want 400 and %q", query, resp.Status, body, what)
		}
	}
}
