package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// lastWords is how long a drain waits for a request on connections that carry
// none. A client may just be sending one, and closing under it would lose it.
const lastWords = 250 * time.Millisecond

// drainer serves, and ends in such a way that no request is lost. It does not
// use [http.Server.Shutdown]: that drops requests that it reads from then on,
// also on a connection that was accepted before.
type drainer struct {
	draining atomic.Bool
	mu       sync.Mutex
	states   map[net.Conn]http.ConnState // of open connections
	active   int                         // connections with a request under way
}

// serve answers on all listeners until ctx ends, and then drains: it calls
// told, closes the listeners, answers with "Connection: close" what is under
// way and what still comes on open connections, and closes these once nothing
// is under way, but not before lastWords have passed. After timeout they are
// closed in any case; if that cuts off a request, it is an error. When serve
// returns, nothing is open.
func (d *drainer) serve(ctx context.Context, s *http.Server, on []net.Listener, timeout time.Duration, told func()) error {
	d.states = make(map[net.Conn]http.ConnState)
	s.ConnState = d.track
	s.Handler = d.closing(s.Handler)
	failed := make(chan error, len(on))
	var accepting sync.WaitGroup
	for _, l := range on {
		accepting.Go(func() { failed <- s.Serve(l) })
	}
	select {
	case err := <-failed:
		err = errors.Join(fmt.Errorf("accept connections: %w", err), s.Close())
		accepting.Wait()
		return err
	case <-ctx.Done():
	}
	d.draining.Store(true)
	told()
	err := closeAll(on)
	accepting.Wait()
	if cut := d.wait(timeout); cut > 0 {
		err = errors.Join(err, fmt.Errorf("drain: %d requests still under way after %v were cut off", cut, timeout))
	}
	return errors.Join(err, s.Close())
}

// track follows the states of connections.
func (d *drainer) track(c net.Conn, now http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.states[c] == http.StateActive {
		d.active--
	}
	switch now {
	case http.StateClosed, http.StateHijacked:
		delete(d.states, c)
		return
	case http.StateActive:
		d.active++
	}
	d.states[c] = now
}

// wait returns when the connections may be closed, and how many of them carry
// a request even so.
func (d *drainer) wait(timeout time.Duration) int {
	const pause = 2 * time.Millisecond // of polling, as Shutdown polls
	for begun := time.Now(); ; time.Sleep(pause) {
		d.mu.Lock()
		active, open := d.active, len(d.states)
		d.mu.Unlock()
		waited := time.Since(begun)
		if open == 0 || waited >= timeout || active == 0 && waited >= lastWords {
			return active
		}
	}
}

// closing has answers close their connections from the drain on.
func (d *drainer) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&closingWriter{w, d}, r)
	})
}

// closingWriter looks at the last moment, since the drain may begin after the
// request. It counts on handlers to call WriteHeader, which both do.
type closingWriter struct {
	http.ResponseWriter
	d *drainer
}

func (w *closingWriter) WriteHeader(status int) {
	if w.d.draining.Load() {
		w.Header().Set("Connection", "close") // RFC 9112, section 9.6
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach what is underneath.
func (w *closingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
