package servers

import (
	"context"
	"errors"
	"fmt"
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

// maxStreams is how many requests may be under way on one connection of HTTP/2:
// more than net/http's 250, so that it is the client that says how many.
const maxStreams = 10_000

// Server is an http_server that listens.
type Server struct {
	config    Config
	log       *log.Logger
	addresses []netip.AddrPort
	listeners []net.Listener
	datagrams []*datagrams
	metrics   *metrics
	greeting  []byte        // the answer's body, unless another size is asked for
	accepted  atomic.Uint64 // connections so far
	peers     *peers
	drainer   drainer
	serving   context.Context // ends when Serve does; of what has no context of its own
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
	open, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, addresses: open.addresses(), listeners: open.streams,
		log:      log.New(logTo, "http_server "+c.Instance+": ", 0),
		metrics:  newMetrics(c.Instance),
		greeting: []byte("Hello from " + c.Instance + "\n"),
	}
	s.peers = newPeers(MaxPeers, s.count)
	if err := s.adapt(open); err != nil {
		return nil, errors.Join(err, open.close())
	}
	s.log.Printf("listening on %s", join(s.addresses))
	return s, nil
}

// adapt makes the sockets ready for what is spoken there.
func (s *Server) adapt(open *opened) error {
	for _, u := range open.datagrams {
		if err := prepare(u); err != nil {
			return fmt.Errorf("prepare the UDP socket at %s: %w", u.LocalAddr(), err)
		}
		s.datagrams = append(s.datagrams, &datagrams{UDPConn: u, s: s})
	}
	if s.config.Protocol == TCP {
		for i, l := range s.listeners {
			s.listeners[i] = lineListener{Listener: l, s: s}
		}
	}
	return nil
}

// Addresses are where the server listens, in the order of [Config.Hosts] or of
// the file descriptors that it inherited: its TCP listeners or, if it inherited
// none, its UDP sockets.
func (s *Server) Addresses() []netip.AddrPort { return s.addresses }

// Serve answers until ctx ends, and then drains: it stops to accept and to
// receive datagrams, answers what is under way with "Connection: close" (over
// HTTP/2 with GOAWAY, over WebSocket with a close after the answer, over TCP with
// its end), and returns nil, or an error if requests were cut off after
// [Config.DrainTimeout]. A client of HTTP/2 may read all of its answers first,
// within some seconds. Where clients keep connections on which nothing is
// under way, the drain takes a quarter of a second, so that a request that is
// just being sent is answered too.
func (s *Server) Serve(ctx context.Context) error {
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s.serving = serving
	hs := &http.Server{
		Handler:           s.signed(http.HandlerFunc(s.route)),
		ConnContext:       s.number,
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       idleTimeout,
		ErrorLog:          s.log,
	}
	hs.Protocols.SetHTTP1(true)
	hs.Protocols.SetUnencryptedHTTP2(true)
	err := s.drainer.serve(ctx, hs, sockets{s.listeners, s.datagrams}, s.config.DrainTimeout, func() {
		s.log.Printf("draining for at most %v: %v", s.config.DrainTimeout, context.Cause(ctx))
	})
	if err == nil {
		s.log.Print("ended, nothing was cut off")
	}
	return err
}

// sockets are those on which a server serves.
type sockets struct {
	streams   []net.Listener
	datagrams []*datagrams
}

// connection is what the server knows of a connection that it has accepted.
type connection struct {
	conn     net.Conn // none over UDP
	number   uint64   // from 1
	client   netip.AddrPort
	requests atomic.Uint64 // so far
}

// connectionKey is the key of a *connection in a request's context.
type connectionKey struct{}

// number gives an accepted connection its number.
func (s *Server) number(ctx context.Context, conn net.Conn) context.Context {
	c := &connection{conn: conn, number: s.count(), client: addressOf(conn.RemoteAddr())}
	if l, ok := conn.(*lineConn); ok {
		l.c, l.known = c, ctx.Value(partingKey{}).(*partingConn)
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// count gives the number of a new connection.
func (s *Server) count() uint64 {
	s.metrics.connections.Inc()
	return s.accepted.Add(1)
}
