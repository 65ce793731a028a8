package servers_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portlab/portlab/servers"
)

// bigger than what the kernel buffers for a client that does not read (4 MiB
// and 6 MiB by default, tcp_wmem and tcp_rmem of tcp(7)), so that the request
// stays under way for as long as the test wants.
var big = fmt.Sprintf("/?body=%d", servers.MaxBody)

func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	r := start(t, config("foo"))
	slow := dial(t, r.address())
	resp := slow.ask(big)
	unused := dial(t, r.address())
	await(t, "the second connection to be accepted", func() bool {
		m := single(t, scrape(t, r.address()), "portlab_connections_accepted_total", "replica", "foo")
		return m.GetCounter().GetValue() >= 3
	})

	r.stop(errors.New("the test says so"))
	await(t, "new connections to be refused", refused(r.address()))
	if !strings.Contains(r.log.String(), "draining for at most 20s: the test says so") {
		t.Errorf("the log does not tell of the drain: %s", r.log)
	}
	health, _ := unused.get("/healthz")
	if health.StatusCode != http.StatusServiceUnavailable || !health.Close {
		t.Errorf("health while draining: %s, Connection: close %v; want 503 and true", health.Status, health.Close)
	}
	select {
	case err := <-r.done:
		t.Fatalf("Serve returned %v with a request under way", err)
	default:
	}
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != servers.MaxBody {
		t.Errorf("read %d bytes of %d, %v", n, servers.MaxBody, err)
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

func TestDrainIsBounded(t *testing.T) {
	c := config("foo")
	c.DrainTimeout = time.Millisecond
	r := start(t, c)
	resp := dial(t, r.address()).ask(big)
	r.stop(nil)
	if err := <-r.done; err == nil || !strings.Contains(err.Error(), "still under way after 1ms were cut off") {
		t.Errorf("Serve = %v, want an error that says what was cut off", err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("the client read all of %d bytes", n)
	}
}

func TestRunEndsAtOnceWhenToldBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	log := new(buffer)
	if err := servers.Run(ctx, config("foo"), log); err != nil || log.String() != "" {
		t.Errorf("Run = %v, and logs %q", err, log)
	}
}

// TestDrainLosesNoRequestOfKeptConnections has clients that ask again and
// again on one connection each, until they are told that it closes. A slow
// request holds the drain open for as long as they need.
func TestDrainLosesNoRequestOfKeptConnections(t *testing.T) {
	r := start(t, config("foo"))
	slow := dial(t, r.address()).ask(big)
	const clients = 8
	var begun, ended sync.WaitGroup
	begun.Add(clients)
	for range clients {
		c := dial(t, r.address())
		ended.Go(func() {
			once := sync.OnceFunc(begun.Done)
			defer once()
			for {
				resp, err := c.try("/")
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				once()
				if resp.Close {
					return
				}
			}
		})
	}
	begun.Wait()
	r.stop(nil)
	ended.Wait()
	if _, err := io.Copy(io.Discard, slow.Body); err != nil {
		t.Error(err)
	}
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}
