package servers

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// idleNames is how long a client may keep a connection to the name server with
// nothing asked (RFC 7766, 6.2.3).
const idleNames = 10 * time.Second

// nameServer answers questions about one zone.
type nameServer struct {
	path   string
	listen []netip.AddrPort
	zone   atomic.Pointer[zone]
	log    *log.Logger

	mu   sync.Mutex
	open map[net.Conn]struct{} // nil: it ends
}

// RunNames runs a server of DNS (RFC 1034, RFC 1035) until ctx ends: it answers
// by UDP and by TCP for the one name of its configuration (see [NamesConfig]),
// with authority, and refuses all others. SIGHUP has the file read again; a
// mistake in it leaves all as it was.
//
// Errors: [ErrConfig] for a bad file, or what the system said of an address to
// listen on.
func RunNames(ctx context.Context, configPath string, logTo io.Writer) error {
	// First of all: by default SIGHUP ends the process.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	if ended(ctx) {
		return nil
	}
	c, err := ReadNamesConfig(configPath)
	if err != nil {
		return err
	}
	on, err := listen(ctx, c.Listen, false, true)
	if err != nil {
		if ended(ctx) {
			return nil // told to end while it started
		}
		return err
	}
	s := &nameServer{path: configPath, listen: c.Listen, log: log.New(logTo, "names: ", 0), open: map[net.Conn]struct{}{}}
	s.use(c)
	s.log.Printf("listening on %s, %s has %d addresses", join(on.addresses()), c.Name, len(c.Addresses))
	return s.serve(ctx, on, reload)
}

func (s *nameServer) use(c NamesConfig) { s.zone.Store(newZone(c)) }

func (s *nameServer) serve(ctx context.Context, on *opened, signals <-chan os.Signal) error {
	var working sync.WaitGroup
	failed := make(chan error, len(on.streams)+len(on.datagrams))
	for _, l := range on.streams {
		working.Go(func() { failed <- s.accept(l, &working) })
	}
	for _, u := range on.datagrams {
		working.Go(func() { failed <- s.receive(u) })
	}
	err := s.follow(ctx, signals, failed)
	err = errors.Join(err, on.close())
	s.closeConnections()
	working.Wait()
	return err
}

// follow reads the file again on each signal, until ctx ends or a socket fails.
func (s *nameServer) follow(ctx context.Context, signals <-chan os.Signal, failed <-chan error) error {
	for {
		select {
		case <-signals:
			s.reload()
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *nameServer) reload() {
	c, err := ReadNamesConfig(s.path)
	switch {
	case err != nil:
		s.log.Printf("not reloaded, the old configuration stays: %v", err)
	case !slices.Equal(c.Listen, s.listen):
		s.log.Printf("not reloaded, the old configuration stays: \"listen\" cannot change from %s to %s while the server runs; start it again",
			join(s.listen), join(c.Listen))
	default:
		s.use(c)
		s.log.Printf("reloaded, %s has %d addresses", c.Name, len(c.Addresses))
	}
}

// receive answers datagrams until the socket is closed.
func (s *nameServer) receive(u *net.UDPConn) error {
	message := make([]byte, maxDatagram)
	for {
		n, from, err := u.ReadFromUDPAddrPort(message)
		switch {
		case err == nil:
			if answer := s.zone.Load().answer(message[:n], false); answer != nil {
				_, _ = u.WriteToUDPAddrPort(answer, from) // one that is lost is asked for again
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case !transient(err):
			return err
		}
	}
}

// accept takes connections until the listener is closed.
func (s *nameServer) accept(l net.Listener, working *sync.WaitGroup) error {
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			working.Go(func() { s.converse(c) })
		case errors.Is(err, net.ErrClosed):
			return nil
		case !passing(err):
			return err
		}
	}
}

// converse answers the questions of one connection, each behind its length of
// two bytes (RFC 1035, 4.2.2), in the order in which they come.
func (s *nameServer) converse(c net.Conn) {
	defer c.Close()
	if !s.hold(c) {
		return
	}
	defer s.part(c)
	var length [2]byte
	message := make([]byte, streamSize)
	for c.SetDeadline(time.Now().Add(idleNames)) == nil {
		if _, err := io.ReadFull(c, length[:]); err != nil {
			return
		}
		n := binary.BigEndian.Uint16(length[:])
		if _, err := io.ReadFull(c, message[:n]); err != nil {
			return
		}
		answer := s.zone.Load().answer(message[:n], true)
		if answer == nil || len(answer) > streamSize {
			return
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// hold notes a connection, so that it can be cut off; false where all have been.
func (s *nameServer) hold(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		s.open[c] = struct{}{}
	}
	return s.open != nil
}

func (s *nameServer) part(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// closeConnections cuts off all connections, and those that come yet.
func (s *nameServer) closeConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.open {
		_ = c.Close() // what it asked may be asked again
	}
	s.open = nil
}
