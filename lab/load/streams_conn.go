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

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// streamsConn is a connection as libraries take it. It notes when bytes come and
// what ended it, so that a fault of the connection can be told from one of the
// answer, whatever a library makes of it.
type streamsConn struct {
	*connection
	remote netip.AddrPort
	now    func() time.Duration
	ends   lab.End // who is to close first
	taking bool    // leave: the server was asked to close

	first atomic.Int64 // when the first byte came since it was 0, in nanoseconds
	mu    sync.Mutex
	end   error // what ended it, but for a close of the client's own
	once  sync.Once
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

// Close implements net.Conn. Where the server was asked to close, it waits for
// that a while: see connection.awaitClose.
func (c *streamsConn) Close() error {
	err := os.ErrClosed
	c.once.Do(func() {
		if c.taking && c.ended() == nil && c.awaitClose(maxPatience) {
			c.note(io.EOF)
		}
		err = c.File.Close()
	})
	return err
}

// abandon closes a connection that is of no use.
func (c *streamsConn) abandon() { _ = c.Close() }

// waiting says whether there is something to read, or nothing ever will be, and
// the first byte of it.
func (c *streamsConn) waiting() (first byte, some, over bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false, true
	}
	var b [1]byte
	var n int
	var failed error
	err = raw.Control(func(fd uintptr) {
		n, _, failed = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	})
	switch {
	case errors.Is(failed, unix.EAGAIN):
		return 0, false, err != nil
	case err != nil || failed != nil:
		return 0, false, true
	}
	return b[0], n > 0, n == 0
}

// LocalAddr implements net.Conn.
func (c *streamsConn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr implements net.Conn.
func (c *streamsConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }
