package servers_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/portlab/portlab/servers"
)

// http2Client speaks HTTP/2 with prior knowledge, on one connection for as long
// as it lasts.
func http2Client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

func TestHTTP2StreamsAreRequestsOfOneConnection(t *testing.T) {
	r := start(t, config("foo"))
	c := http2Client(t)
	seen := map[uint64]bool{}
	for range 5 {
		resp, err := c.Get("http://" + r.address() + "/?body=3")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || string(body) != "Hel" || resp.ProtoMajor != 2 {
			t.Errorf("got %q by %s, %v", body, resp.Proto, err)
		}
		a := answerOf(t, resp)
		if a.Instance != "foo" || a.Connection != 1 {
			t.Errorf("answered by %+v, want connection 1 of foo", a)
		}
		seen[a.Request] = true
	}
	for n := uint64(1); n <= 5; n++ {
		if !seen[n] {
			t.Errorf("no answer is to request %d: %v", n, seen)
		}
	}
}

// TestDrainLosesNoHTTP2Request has clients ask again and again while the server
// is told to end; GOAWAY sends them away, to where nobody listens.
func TestDrainLosesNoHTTP2Request(t *testing.T) {
	r := start(t, config("foo"))
	c := http2Client(t)
	slow, err := c.Get("http://" + r.address() + fmt.Sprintf("/?body=%d", servers.MaxBody))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	var begun sync.WaitGroup
	begun.Add(1)
	answered := make(chan error, 1)
	go func() {
		resp, err := c.Get("http://" + r.address() + "/?delay=50ms")
		if err == nil {
			err = resp.Body.Close()
		}
		answered <- err
	}()
	await(t, "both requests to begin", func() bool {
		m := single(t, scrape(t, r.address()), "portlab_requests_in_flight", "replica", "foo")
		return m.GetGauge().GetValue() == 3 // and the scrape
	})
	r.stop(nil)
	if err := <-answered; err != nil {
		t.Errorf("a request under way was lost: %v", err)
	}
	if n, err := io.Copy(io.Discard, slow.Body); err != nil || n != servers.MaxBody {
		t.Errorf("read %d bytes of %d, %v", n, servers.MaxBody, err)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}
