package servers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// errAway is what a client gets who is sent away.
var errAway = errors.New("the only connection takes no more requests")

// TestDrainLosesNoHTTP2Request has clients ask again and again on one
// connection while the server is told to end; GOAWAY sends them away.
func TestDrainLosesNoHTTP2Request(t *testing.T) {
	r := start(t, config("foo"))
	c := http2Client(t)
	var dialled atomic.Bool
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, errAway
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	slow, err := c.Get("http://" + r.address() + big)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Body.Close()
	const clients = 8
	var begun, ended sync.WaitGroup
	begun.Add(clients)
	for range clients {
		ended.Go(func() {
			once := sync.OnceFunc(begun.Done)
			defer once()
			for {
				_, err := sizeOf(c.Get("http://" + r.address()))
				if errors.Is(err, errAway) {
					return
				}
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				once()
			}
		})
	}
	begun.Wait()
	r.stop(nil)
	ended.Wait()
	if n, err := io.Copy(io.Discard, slow.Body); err != nil || n != servers.MaxBody {
		t.Errorf("read %d bytes of %d, %v", n, servers.MaxBody, err)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

// deafConn is a client's connection that reads nothing until it may.
type deafConn struct {
	net.Conn
	deaf  atomic.Bool
	hears chan struct{} // closed: it may
}

func (c *deafConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.deaf.Load() {
		<-c.hears
	}
	return n, err
}

// TestDrainWaitsForWhatAnHTTP2ClientHasYetToRead has a client that reads
// nothing of an answer until all of it is in the kernel's hands and the server
// has long seen that nothing is under way. As it reads, it sends WINDOW_UPDATE.
func TestDrainWaitsForWhatAnHTTP2ClientHasYetToRead(t *testing.T) {
	for _, p := range []servers.Protocol{servers.HTTP, servers.TCP} {
		t.Run(string(p), func(t *testing.T) { drainsADeafClient(t, start(t, speaking(p))) })
	}
}

func drainsADeafClient(t *testing.T, r *replica) {
	const body = 256 << 10
	c := http2Client(t)
	conn := &deafConn{hears: make(chan struct{})}
	c.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		if conn.Conn, err = new(net.Dialer).DialContext(ctx, network, address); err == nil {
			err = conn.Conn.(*net.TCPConn).SetReadBuffer(16 << 10) // so that most stays with the server
		}
		return conn, err
	}
	if _, err := sizeOf(c.Get("http://" + r.address())); err != nil {
		t.Fatal(err)
	}
	conn.deaf.Store(true)
	var asking sync.WaitGroup
	asking.Go(func() {
		if n, err := sizeOf(c.Get("http://" + r.address() + fmt.Sprintf("/?body=%d", body))); err != nil || n != body {
			t.Errorf("read %d bytes of %d, %v", n, body, err)
		}
	})
	scrapes := 0.0
	await(t, "the answer to be on its way", func() bool {
		scrapes++
		m := single(t, scrape(t, r.address()), "portlab_requests_total", "code", "200")
		return m.GetCounter().GetValue() >= 2+scrapes-1 // the last one is not counted yet
	})
	r.stop(nil)
	time.Sleep(time.Second) // four times what a drain waits for a request
	close(conn.hears)
	asking.Wait()
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

// sizeOf reads an answer's body.
func sizeOf(resp *http.Response, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(io.Discard, resp.Body)
}
