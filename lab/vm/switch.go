package vm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// frameBytes is the largest Ethernet frame that is handed on: QEMU's network
	// devices give out no larger one (NET_BUFSIZE of QEMU's net.h).
	frameBytes = 4<<10 + 64<<10
	// queued is how many frames may wait for a machine that does not take them;
	// further ones are dropped, as a switch does.
	queued = 1024
)

// Switch is an Ethernet switch in this process: it links machines and nothing
// else. It has no address, no port and no path on this machine. It learns at
// which port a hardware address is from what comes from there (IEEE 802.1D,
// 7.8), and sends a frame to all ports where it does not know. It is safe for
// concurrent use.
type Switch struct {
	mu    sync.Mutex
	ports []*port
	seen  map[hardware]*port
}

// hardware is an Ethernet address.
type hardware [6]byte

// NewSwitch makes a switch with no machine at it.
func NewSwitch() *Switch { return &Switch{seen: map[hardware]*port{}} }

// port is where one machine is plugged in.
type port struct {
	s     *Switch
	wire  net.Conn // each message on it is a frame
	queue chan []byte
	done  sync.WaitGroup
}

// plug makes a port, and gives the end of it that a machine is to have: a
// datagram socket (unix(7)), each message on which is one Ethernet frame.
func (s *Switch) plug() (*port, *os.File, error) {
	own, theirs, err := socketPair(unix.SOCK_DGRAM)
	if err != nil {
		return nil, nil, err
	}
	p := &port{s: s, wire: own, queue: make(chan []byte, queued)}
	s.mu.Lock()
	s.ports = append(s.ports, p)
	s.mu.Unlock()
	p.done.Go(p.receive)
	p.done.Go(p.send)
	return p, theirs, nil
}

// close unplugs the machine.
func (p *port) close() error {
	p.s.mu.Lock()
	for i, x := range p.s.ports {
		if x == p {
			p.s.ports = append(p.s.ports[:i:i], p.s.ports[i+1:]...)
			close(p.queue) // nobody hands it frames from now on
			break
		}
	}
	for address, at := range p.s.seen {
		if at == p {
			delete(p.s.seen, address)
		}
	}
	p.s.mu.Unlock()
	err := p.wire.Close()
	p.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// receive takes frames from the machine until the port is closed.
func (p *port) receive() {
	buf := make([]byte, frameBytes)
	for {
		n, err := p.wire.Read(buf)
		if err != nil {
			return
		}
		p.s.forward(p, append([]byte(nil), buf[:n]...))
	}
}

// send hands frames to the machine. One that the machine does not take, such as
// one that has just ended, is lost.
func (p *port) send() {
	for frame := range p.queue {
		_, _ = p.wire.Write(frame)
	}
}

// headerBytes are the two addresses and the type of an Ethernet frame.
const headerBytes = 14

// forward hands a frame that came in at a port to where it is meant to go.
func (s *Switch) forward(from *port, frame []byte) {
	if len(frame) < headerBytes {
		return
	}
	to, sender := hardware(frame[:6]), hardware(frame[6:12])
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sender.group() {
		s.seen[sender] = from
	}
	if at := s.seen[to]; at != nil {
		if at != from {
			at.offer(frame)
		}
		return
	}
	for _, p := range s.ports {
		if p != from {
			p.offer(frame)
		}
	}
}

// group says whether an address is that of several: broadcast or multicast.
func (h hardware) group() bool { return h[0]&1 == 1 }

// offer queues a frame for the machine, or drops it. The switch is locked.
func (p *port) offer(frame []byte) {
	select {
	case p.queue <- frame:
	default:
	}
}

// newHardware draws an address that no manufacturer has given: locally
// administered, and of one station (IEEE 802, 8.4).
func newHardware() net.HardwareAddr {
	a := make(net.HardwareAddr, len(hardware{}))
	_, _ = rand.Read(a) // it never fails
	a[0] = a[0]&^1 | 2
	return a
}

// socketPair makes two connected sockets (socketpair(2)): one for this process,
// and one for another to inherit.
func socketPair(kind int) (own net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "socket of a machine")
	mine := os.NewFile(uintptr(fds[0]), "socket of a machine")
	defer mine.Close() // the connection has a duplicate
	if own, err = net.FileConn(mine); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("use a pair of sockets: %w", err), theirs.Close())
	}
	return own, theirs, nil
}
