package load

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// dialect begins what is spoken on a connection that stands.
type dialect func(ctx context.Context, on *link) (session, error)

// session is what is spoken on one connection.
type session interface {
	// ask makes a request and notes in the sample how far it came. Sent is false
	// if nothing of it has left.
	ask(ctx context.Context, s *lab.Sample) (sent bool, err error)
	// gone says whether the server has left.
	gone() bool
	// close closes the connection, and takes leave if that is due.
	close()
}

// lane has one connection at a time, which several workers may share.
type lane struct {
	load    *streamsLoad
	mu      sync.Mutex
	current *link
}

// link is a connection of a lane. What the lane counts is guarded by its lock.
type link struct {
	load    *streamsLoad
	number  int
	target  *endpoint
	local   netip.AddrPort
	stood   time.Duration
	conn    *streamsConn
	session session
	err     error         // why there is no session
	ready   chan struct{} // closed once there is one or never will be; guards what is above

	lane     *lane
	begun    int  // requests so far
	underWay int  // of these
	spent    bool // it takes no more requests
}

// enter gives a connection that takes one more request: the current one, or a
// new one, for which whoever needs it waits. The caller must call leave.
func (n *lane) enter(ctx context.Context) (*link, error) {
	n.mu.Lock()
	on := n.current
	if on != nil && on.underWay == 0 && on.stands() && on.session.gone() {
		left := on
		n.load.closing.Go(func() { left.close() })
		on = nil
	}
	mine := on == nil || on.spent
	if mine {
		on = &link{load: n.load, lane: n, number: n.load.nextConnection(), ready: make(chan struct{})}
		on.target = pick(n.load.targets, n.load.plan.Seed, uint64(on.number))
		n.current = on
	}
	on.begun++
	on.underWay++
	on.spent = on.begun == n.load.plan.PerConnection
	n.mu.Unlock()
	if mine {
		if on.err = on.open(ctx); on.err != nil {
			on.spend()
		}
		close(on.ready)
	}
	select {
	case <-on.ready:
		return on, on.err
	case <-ctx.Done():
		return on, ctx.Err()
	}
}

// settled says whether it is known what became of the connection.
func (on *link) settled() bool {
	select {
	case <-on.ready:
		return true
	default:
		return false
	}
}

// stands says whether there is a session.
func (on *link) stands() bool { return on.settled() && on.err == nil }

// end is what ended the connection, as far as it was not the client.
func (on *link) end() error {
	if !on.settled() || on.conn == nil {
		return nil
	}
	return on.conn.ended()
}

// spend has the link take no more requests.
func (on *link) spend() {
	on.lane.mu.Lock()
	defer on.lane.mu.Unlock()
	on.spent = true
}

// leave tells that a request has ended. It says whether the connection is to be
// closed by the caller now.
func (n *lane) leave(on *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	on.underWay--
	if on.stands() && on.session.gone() {
		on.spent = true
	}
	last := on.spent && on.underWay == 0 && on.stands()
	if on.spent && n.current == on {
		n.current = nil
	}
	return last
}

// close closes what is left at the end of the load.
func (n *lane) close() {
	if n.current != nil && n.current.stands() {
		n.load.closing.Go(func() { n.current.close() })
	}
}

// close closes the connection and says who was the first to.
func (on *link) close() lab.End {
	on.session.close()
	if on.conn.ended() != nil {
		return lab.ServerEnd
	}
	on.load.closedFirst()
	return lab.ClientEnd
}

// open makes the connection and begins what is spoken there.
func (on *link) open(ctx context.Context) error {
	fd, err := on.load.sockets.get(ctx)
	if err != nil {
		return err
	}
	if len(on.load.sources) > 0 {
		if code := bindSource(fd, &on.load.sources[on.number%len(on.load.sources)]); code != 0 {
			_ = unix.Close(fd)
			return os.NewSyscallError("bind", code)
		}
	}
	conn, err := startConnecting(fd, on.target.address)
	if err != nil {
		return err
	}
	on.local = conn.local
	if err := on.await(ctx, conn); err != nil {
		return errors.Join(err, conn.Close())
	}
	on.stood = max(on.load.now(), 1)
	on.conn = &streamsConn{connection: conn, remote: on.target.address, now: on.load.now, closed: make(chan struct{})}
	if on.session, err = on.load.dialect(ctx, on); err == nil {
		return nil
	}
	if on.conn.abandon(); on.conn.ended() == nil {
		on.load.closedFirst()
	}
	return err
}

// await waits until the connection stands, as long as ctx lasts.
func (on *link) await(ctx context.Context, conn *connection) error {
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := conn.await(on.target.address)
	if !stop() && err == nil {
		return ctx.Err()
	}
	return errors.Join(err, conn.SetDeadline(time.Time{}))
}
