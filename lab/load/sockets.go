package load

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// socketsAhead is how many sockets are made before they are needed, so that a
// request seldom waits for the thread that makes them. When half are used, that
// thread is woken once for the other half.
const socketsAhead = 32

// sockets makes TCP sockets in the network namespace of a place. The package
// comment says why it is not the workers that do.
type sockets struct {
	domain int              // AF_INET or AF_INET6
	ready  chan int         // file descriptors made ahead
	low    chan struct{}    // fewer than half are left
	want   chan chan socket // of a worker that found none
	stop   chan struct{}    // closed when no worker is left
	ended  chan struct{}    // closed when nothing is left to be closed
}

// socket is a file descriptor, or why there is none.
type socket struct {
	fd  int
	err error
}

// openSockets enters the place and returns when sockets can be had. It returns
// the error of entering the place. The caller must call close.
func openSockets(ctx context.Context, at lab.Place, domain, ahead int) (*sockets, error) {
	s := &sockets{
		domain: domain,
		ready:  make(chan int, ahead),
		low:    make(chan struct{}, 1),
		want:   make(chan chan socket),
		stop:   make(chan struct{}),
		ended:  make(chan struct{}),
	}
	started, left := make(chan struct{}), make(chan error, 1)
	go func() {
		left <- at.Do(ctx, func() error {
			defer close(s.ended)
			s.fill()
			close(started)
			s.serve()
			return nil
		})
	}()
	select {
	case <-started:
		return s, nil
	case err := <-left:
		close(s.stop) // for a Do that gave up on a thread which gets there later
		return nil, fmt.Errorf("enter the client's network namespace: %w", err)
	}
}

// get gives a socket that the caller must close. It returns what socket(2)
// says, or ctx's error.
func (s *sockets) get(ctx context.Context) (int, error) {
	select {
	case fd := <-s.ready:
		if len(s.ready) <= cap(s.ready)/2 {
			select {
			case s.low <- struct{}{}:
			default: // asked for already
			}
		}
		return fd, nil
	default:
	}
	reply := make(chan socket, 1)
	select {
	case s.want <- reply:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	made := <-reply // whoever takes a wish answers it, so that no descriptor is lost
	return made.fd, made.err
}

// close ends the making of sockets and closes those that nobody used. No
// worker may be left.
func (s *sockets) close() {
	close(s.stop)
	<-s.ended
}

// serve runs on a thread of the place until close.
func (s *sockets) serve() {
	for {
		select {
		case <-s.stop:
			s.drain()
			return
		case reply := <-s.want:
			reply <- s.open()
		case <-s.low:
		}
		s.fill()
	}
}

// fill makes sockets ahead. That one cannot be made is said to the first worker
// that finds none, and not before.
func (s *sockets) fill() {
	for len(s.ready) < cap(s.ready) {
		made := s.open()
		if made.err != nil {
			return
		}
		s.ready <- made.fd
	}
}

func (s *sockets) drain() {
	for {
		select {
		case fd := <-s.ready:
			_ = unix.Close(fd) // never connected: nothing can be lost
		default:
			return
		}
	}
}

// open makes a socket with the options that Go's net package sets for a client,
// except that it never speaks Multipath TCP.
func (s *sockets) open() socket {
	fd, err := unix.Socket(s.domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return socket{err: os.NewSyscallError("socket", err)}
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		_ = unix.Close(fd)
		return socket{err: os.NewSyscallError("setsockopt", err)}
	}
	return socket{fd: fd}
}
