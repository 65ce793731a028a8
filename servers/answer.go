package servers

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Limits of what a query may ask for.
const (
	MaxDelay = time.Minute // of ?delay=
	MaxBody  = 16 << 20    // bytes; of ?body=
)

// statusClientClosed is how nginx records that the client went away before
// the answer (NGX_HTTP_CLIENT_CLOSED_REQUEST in ngx_http_request.h).
const statusClientClosed = 499

func (s *Server) route(w http.ResponseWriter, r *http.Request) {
	switch {
	case wantsWebSocket(r):
		s.upgrade(w, r)
	case r.URL.Path == "/metrics":
		s.metrics.handler().ServeHTTP(w, r)
	case r.URL.Path == "/healthz":
		s.health(w)
	default:
		s.greet(w, r)
	}
}

func (s *Server) health(w http.ResponseWriter) {
	if s.drainer.draining.Load() {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // a client that is gone needs no answer
}

func (s *Server) greet(w http.ResponseWriter, r *http.Request) {
	work, err := parseWork(r.URL.RawQuery, len(s.greeting))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if work.delay > 0 {
		select {
		case <-time.After(work.delay):
		case <-r.Context().Done():
			w.WriteHeader(statusClientClosed)
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(work.body))
	writeBody(w, s.greeting, work.body)
}

// writeBody writes size bytes: the greeting, again and again. It ends early
// where the client is gone.
func writeBody(w io.Writer, greeting []byte, size int) {
	const chunk = 32 << 10
	if size > len(greeting) {
		greeting = bytes.Repeat(greeting, min(size, chunk)/len(greeting)+1)
	}
	for size > 0 {
		n, err := w.Write(greeting[:min(size, len(greeting))])
		if err != nil {
			return
		}
		size -= n
	}
}

// work is what a query asks of the server.
type work struct {
	delay time.Duration
	body  int // bytes
}

// parseWork reads a query; body is the size where the query does not say.
func parseWork(query string, body int) (work, error) {
	w := work{body: body}
	if query == "" {
		return w, nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return work{}, fmt.Errorf("the query cannot be read: %w", err)
	}
	if values.Has("delay") {
		d, err := time.ParseDuration(values.Get("delay"))
		if err != nil || d < 0 || d > MaxDelay {
			return work{}, fmt.Errorf("delay must be a duration from 0s to %v, such as 5ms, not %q", MaxDelay, values.Get("delay"))
		}
		w.delay = d
	}
	if values.Has("body") {
		n, err := strconv.Atoi(values.Get("body"))
		if err != nil || n < 0 || n > MaxBody {
			return work{}, fmt.Errorf("body must be a number of bytes from 0 to %d, not %q", MaxBody, values.Get("body"))
		}
		w.body = n
	}
	return w, nil
}
