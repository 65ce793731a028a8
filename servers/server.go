package servers

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// How long an idle connection is kept: longer than a proxy keeps its own
// ([upstreamIdleTimeout]), so that a proxy does not send a request on a
// connection that is being closed.
const idleTimeout = 2 * time.Minute

// Server is an http_server that listens.
type Server struct {
	config    Config
	log       *log.Logger
	listeners []net.Listener
	metrics   *metrics
	greeting  []byte        // the answer's body, unless another size is asked for
	accepted  atomic.Uint64 // connections so far
	drainer   drainer
}

// Run listens and serves until ctx ends, and then drains. It returns nil if
// the drain was whole, and at once if ctx has ended before. Errors: those of
// [Listen] and [Server.Serve].
func Run(ctx context.Context, c Config, log io.Writer) error {
	if ended(ctx) {
		return nil
	}
	s, err := Listen(ctx, c, log)
	switch {
	case err == nil:
		return s.Serve(ctx)
	case ended(ctx):
		return nil // told to end while it started
	}
	return err
}

// Listen opens the server's listeners, or takes those that it inherits, and
// writes to the log where they are. Connections wait there until
// [Server.Serve] is called, which must be. A configuration that cannot be is
// an [ErrConfig]; any other error is what the system said of an address, and
// what to do about it.
func Listen(ctx context.Context, c Config, logTo io.Writer) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	listeners, err := c.listeners(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, listeners: listeners,
		log:      log.New(logTo, "http_server "+c.Instance+": ", 0),
		metrics:  newMetrics(c.Instance),
		greeting: []byte("Hello from " + c.Instance + "\n"),
	}
	s.log.Printf("listening on %s", join(s.Addresses()))
	return s, nil
}

// Addresses are where the server listens, in the order of [Config.Hosts] or of
// the file descriptors that it inherited.
func (s *Server) Addresses() []netip.AddrPort { return addressesOf(s.listeners) }

// Serve answers until ctx ends, and then drains: it stops to accept, answers
// what is under way with "Connection: close", and returns nil, or an error if
// requests were cut off after [Config.DrainTimeout]. Where clients keep
// connections on which nothing is under way, the drain takes a quarter of a
// second, so that a request that is just being sent is answered too.
func (s *Server) Serve(ctx context.Context) error {
	hs := &http.Server{
		Handler:           s.signed(http.HandlerFunc(s.route)),
		ConnContext:       s.number,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       idleTimeout,
		ErrorLog:          s.log,
	}
	err := s.drainer.serve(ctx, hs, s.listeners, s.config.DrainTimeout, func() {
		s.log.Printf("draining for at most %v: %v", s.config.DrainTimeout, context.Cause(ctx))
	})
	if err == nil {
		s.log.Print("ended, nothing was cut off")
	}
	return err
}

// connection is what the server knows of a connection that it has accepted.
type connection struct {
	number   uint64 // from 1
	client   netip.AddrPort
	requests atomic.Uint64 // so far
}

// connectionKey is the key of a *connection in a request's context.
type connectionKey struct{}

// number gives an accepted connection its number.
func (s *Server) number(ctx context.Context, c net.Conn) context.Context {
	s.metrics.connections.Inc()
	return context.WithValue(ctx, connectionKey{}, &connection{
		number: s.accepted.Add(1),
		client: c.RemoteAddr().(*net.TCPAddr).AddrPort(),
	})
}
