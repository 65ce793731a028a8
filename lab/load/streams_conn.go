package load

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// streamsConn is a connection as libraries take it. It notes when bytes come and
// what ended it, so that a fault of the connection can be told from one of the
// answer, whatever a library makes of it.
type streamsConn struct {
	*connection
	remote  netip.AddrPort
	now     func() time.Duration
	patient atomic.Bool // leave it to the server to close

	first  atomic.Int64 // when the first byte came since it was 0, in nanoseconds
	mu     sync.Mutex
	end    error // what ended it, but for a close of the client's own
	once   sync.Once
	closed chan struct{} // closed when the client has closed it
}

// Read implements net.Conn.
func (c *streamsConn) Read(p []byte) (int, error) {
	n, err := c.File.Read(p)
	if n > 0 && c.first.Load() == 0 {
		c.first.CompareAndSwap(0, int64(c.now()))
	}
	c.note(err)
	return n, err
}

// Write implements net.Conn.
func (c *streamsConn) Write(p []byte) (int, error) {
	n, err := c.File.Write(p)
	c.note(err)
	return n, err
}

func (c *streamsConn) note(err error) {
	if err == nil || errors.Is(err, os.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.end == nil {
		c.end = err
	}
}

// ended is what ended the connection, as far as it was not the client: io.EOF if
// the server closed it.
func (c *streamsConn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.end
}

// Close implements net.Conn. Where it is patient, it waits a while for the server
// to close first: see connection.awaitClose.
func (c *streamsConn) Close() error {
	err := os.ErrClosed
	c.once.Do(func() {
		if c.patient.Load() && c.ended() == nil && c.awaitClose(maxPatience) {
			c.note(io.EOF)
		}
		close(c.closed)
		err = c.File.Close()
	})
	return err
}

// abandon closes a connection that is of no use.
func (c *streamsConn) abandon() { _ = c.Close() }

// LocalAddr implements net.Conn.
func (c *streamsConn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *streamsConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }
