package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// lastWords is how long a drain waits for a request on connections that carry
// none. A client may just be sending one, and closing under it would lose it.
// And net/http calls a connection of HTTP/2 idle when it has made the last frame
// of an answer, which it sends a little later.
const lastWords = 250 * time.Millisecond

// drainer serves, and ends in such a way that no request is lost. It does not
// use [http.Server.Shutdown]: that drops requests that it reads from then on,
// also on a connection that was accepted before.
type drainer struct {
	draining atomic.Bool
	mu       sync.Mutex
	states   map[io.Closer]http.ConnState // of open connections
	active   int                          // connections with a request under way, and datagrams
	last     time.Time                    // when that changed
	over     bool                         // no connection is adopted any more
	until    time.Time                    // the drain may last, once there is one
	adopted  sync.WaitGroup               // connections that net/http has given away
}

// serve answers on all sockets until ctx ends, and then drains: it calls told,
// closes the listeners, answers the datagrams that have come, answers with
// "Connection: close" what is under way and what still comes on open
// connections, and closes these once nothing has been under way for
// lastWords. A client of HTTP/2 closes first, if it does so within
// maxParting. After timeout they are closed in any case; if that cuts off a
// request, it is an error. When serve returns, nothing is open.
func (d *drainer) serve(ctx context.Context, s *http.Server, on sockets, timeout time.Duration, told func()) error {
	d.states = make(map[io.Closer]http.ConnState)
	s.ConnState = func(c net.Conn, now http.ConnState) { d.track(c, now) }
	s.ConnContext = withParting(s.ConnContext)
	s.Handler = d.closing(s.Handler)
	failed := make(chan error, len(on.streams)+len(on.datagrams))
	var taking sync.WaitGroup
	for _, l := range on.streams {
		taking.Go(func() { failed <- fmt.Errorf("accept connections: %w", s.Serve(partingListener{l, d})) })
	}
	for _, u := range on.datagrams {
		taking.Go(func() { failed <- fmt.Errorf("receive datagrams: %w", u.serve(&d.draining)) })
	}
	var err error
	select {
	case err = <-failed:
		timeout = 0
		d.begins(timeout)
	case <-ctx.Done():
		d.begins(timeout)
		told()
	}
	for _, u := range on.datagrams {
		u.stop()
	}
	err = errors.Join(err, closeAll(on.streams))
	taking.Wait()
	if cut := d.wait(timeout); cut > 0 && err == nil {
		err = errors.Join(err, fmt.Errorf("drain: %d requests still under way after %v were cut off", cut, timeout))
	}
	d.part()
	return errors.Join(err, s.Close(), closeAll(on.datagrams))
}

// begins has the drain begin, which ends after timeout.
func (d *drainer) begins(timeout time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until = time.Now().Add(timeout)
	d.draining.Store(true)
}

// left is how long the client of a connection that ends may take to close it.
func (d *drainer) left() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until.IsZero() {
		return maxParting
	}
	return min(maxParting, time.Until(d.until))
}

// track follows the states of connections.
func (d *drainer) track(c io.Closer, now http.ConnState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.states[c] == http.StateActive {
		d.change(-1)
	}
	switch now {
	case http.StateClosed, http.StateHijacked:
		delete(d.states, c)
		return
	case http.StateActive:
		d.change(1)
	}
	d.states[c] = now
}

// adopt serves a connection that is no longer net/http's, on a goroutine of
// its own. It returns false where it is too late for that.
func (d *drainer) adopt(c io.Closer, serve func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return false
	}
	d.states[c] = http.StateIdle
	d.adopted.Go(func() {
		serve()
		d.track(c, http.StateClosed)
	})
	return true
}

// begin counts a datagram that is under way, and end one that no longer is.
func (d *drainer) begin() { d.add(1) }
func (d *drainer) end()   { d.add(-1) }

func (d *drainer) add(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.change(n)
}

// change counts; the lock is held.
func (d *drainer) change(n int) {
	d.active += n
	d.last = time.Now()
}

// wait returns when the connections may be closed, and how many of them carry
// a request even so.
func (d *drainer) wait(timeout time.Duration) int {
	const pause = 2 * time.Millisecond // of polling, as Shutdown polls
	for begun := time.Now(); ; time.Sleep(pause) {
		d.mu.Lock()
		active, open, quiet := d.active, len(d.states), time.Since(d.last)
		d.mu.Unlock()
		waited := time.Since(begun)
		if open+active == 0 || waited >= timeout || active == 0 && min(waited, quiet) >= lastWords {
			return active
		}
	}
}

// part closes all connections, and waits for those that are not net/http's.
func (d *drainer) part() {
	d.mu.Lock()
	d.over = true
	var closing sync.WaitGroup
	for c := range d.states {
		closing.Go(func() { _ = c.Close() }) // it may take leave, which takes time
	}
	d.mu.Unlock()
	closing.Wait()
	d.adopted.Wait()
}

// closing has answers close their connections from the drain on.
func (d *drainer) closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mark(r)
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
	if w.d.draining.Load() && status != http.StatusSwitchingProtocols {
		w.Header().Set("Connection", "close") // RFC 9112, section 9.6
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach what is underneath.
func (w *closingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
