package servers

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxParting is how long a client of HTTP/2 may take to read its last answers
// and to close; as long as nginx waits (lingering_timeout).
const maxParting = 5 * time.Second

// partingListener gives connections whose Close loses nothing of what was
// answered before.
type partingListener struct {
	net.Listener
	d *drainer
}

// Accept implements net.Listener.
func (l partingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &partingConn{Conn: c, d: l.d}, nil
}

// partingConn is a connection of HTTP. A client of HTTP/1.1 is silent while it
// reads the last answer, and the kernel goes on to deliver that after a close. A
// client of HTTP/2 speaks: it allows more bytes as it reads (WINDOW_UPDATE, RFC
// 9113, 6.9), and bytes that meet a closed socket reset the connection (RFC 9293,
// 3.6), with all that was not delivered. So there the client closes first.
type partingConn struct {
	net.Conn
	d     *drainer
	http2 atomic.Bool
	once  sync.Once
	err   error // of closing
}

// Close implements net.Conn. Whoever calls it later waits for the first.
func (c *partingConn) Close() error {
	c.once.Do(func() {
		if c.http2.Load() {
			part(c.Conn, c.d.left())
		}
		c.err = c.Conn.Close()
	})
	return c.err
}

// CloseWrite is what net/http looks for.
func (c *partingConn) CloseWrite() error { return closeWrite(c.Conn) }

// closeWrite sends the end of the connection, and leaves the other way open.
func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// part takes leave of a client: it sends the end, and reads until the client
// has closed too, but for no longer than it is told. A close with bytes unread
// would reset the connection, and the last answer with it.
func part(c net.Conn, atMost time.Duration) {
	_ = closeWrite(c) // c is closed soon in any case
	if c.SetReadDeadline(time.Now().Add(atMost)) == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

// partingKey is the key of a *partingConn in a request's context.
type partingKey struct{}

// withParting adds the connection to the context of its requests; next sees
// the one beneath it.
func withParting(next func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, conn net.Conn) context.Context {
		c := conn.(*partingConn)
		ctx = context.WithValue(ctx, partingKey{}, c)
		if next == nil {
			return ctx
		}
		return next(ctx, c.Conn)
	}
}

// mark notes what a connection speaks.
func mark(r *http.Request) {
	if r.ProtoMajor == 2 {
		r.Context().Value(partingKey{}).(*partingConn).http2.Store(true)
	}
}
