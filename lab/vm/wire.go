package vm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// The host and the agent speak HTTP/2 (RFC 9113) with each other, over one
// port of a virtio-serial device: several commands and files at a time, each
// with a flow control of its own, so that one whose output nobody takes stops
// none of the others. The agent is the server:
//
//	GET /hello                        that it is there
//	GET /engine                       returns when the Docker engine answers
//	POST /run?arg=&env=&dir=&id=      the standard input is the request's body, the
//	                                  response is records of output
//	POST /signal?id=&signal=          to a command's process group
//	GET /tree?dir=                    a folder as a tar archive
const (
	pathHello  = "/hello"
	pathEngine = "/engine"
	pathRun    = "/run"
	pathSignal = "/signal"
	pathTree   = "/tree"
)

// portName is the name of the virtio-serial port.
const portName = "portlab.agent"

// record is what a piece of a command's output begins with: one byte of these,
// and the piece's length in four bytes, the highest first.
type record byte

const (
	toStdout record = 1
	toStderr record = 2
	atEnd    record = 3 // the exit status, in four bytes
)

// recordBytes is the longest piece.
const recordBytes = 64 << 10

// errRecord: what came is no record of output.
var errRecord = errors.New("what the machine's agent says makes no sense")

// recording is a command's output on its way, as records.
type recording struct {
	mu    sync.Mutex
	w     io.Writer
	flush func() error
	ended bool
}

// write writes one record. After the end it writes none: what a command left
// running may go on to speak.
func (r *recording) write(kind record, piece []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return os.ErrClosed
	}
	r.ended = kind == atEnd
	head := binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(len(piece)))
	if _, err := r.w.Write(append(head, piece...)); err != nil {
		return err
	}
	return r.flush()
}

// begin tells the host that the command runs: it sends input from then on.
func (r *recording) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flush()
}

// end writes the last record: the exit status.
func (r *recording) end(status int) error {
	return r.write(atEnd, binary.BigEndian.AppendUint32(nil, uint32(status)))
}

// stream is one of a command's two outputs.
type stream struct {
	to   *recording
	kind record
}

func (s stream) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		n := min(len(p), recordBytes)
		if err := s.to.write(s.kind, p[:n]); err != nil {
			return written, err
		}
		written, p = written+n, p[n:]
	}
	return written, nil
}

// playBack gives out records of a command's output until its end, and returns
// its exit status. It trusts nothing that it reads.
func playBack(r io.Reader, stdout, stderr io.Writer) (status int, err error) {
	var head [5]byte
	buf := make([]byte, recordBytes)
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return 0, fmt.Errorf("read a command's output: %w", err)
		}
		kind, n := record(head[0]), binary.BigEndian.Uint32(head[1:])
		if n > recordBytes {
			return 0, fmt.Errorf("%w: a piece of %d bytes", errRecord, n)
		}
		if _, err := io.ReadFull(r, buf[:n]); err != nil {
			return 0, fmt.Errorf("read a command's output: %w", err)
		}
		switch {
		case kind == toStdout:
			_, err = stdout.Write(buf[:n])
		case kind == toStderr:
			_, err = stderr.Write(buf[:n])
		case kind == atEnd && n == 4:
			return int(binary.BigEndian.Uint32(buf)), nil
		default:
			err = fmt.Errorf("%w: a record of kind %d with %d bytes", errRecord, kind, n)
		}
		if err != nil {
			return 0, err
		}
	}
}

// serialPort is a virtio-serial port as a connection.
type serialPort struct{ *os.File }

// serialAddr is the address of both its ends.
type serialAddr struct{}

func (serialAddr) Network() string { return "virtio-serial" }
func (serialAddr) String() string  { return portName }

func (serialPort) LocalAddr() net.Addr  { return serialAddr{} }
func (serialPort) RemoteAddr() net.Addr { return serialAddr{} }

// One connection lasts as long as the machine: nothing on it is late. A device
// that the runtime cannot poll would refuse deadlines.
func (serialPort) SetDeadline(time.Time) error      { return nil }
func (serialPort) SetReadDeadline(time.Time) error  { return nil }
func (serialPort) SetWriteDeadline(time.Time) error { return nil }

// single is a listener of one connection, which lasts until that has ended.
type single struct {
	conn  net.Conn
	taken bool
	ended chan struct{}
}

func (l *single) Accept() (net.Conn, error) {
	if l.taken {
		<-l.ended
		return nil, net.ErrClosed
	}
	l.taken = true
	return endingConn{l.conn, sync.OnceFunc(func() { close(l.ended) })}, nil
}

func (l *single) Close() error   { return nil }
func (l *single) Addr() net.Addr { return l.conn.LocalAddr() }

// endingConn says when it is closed.
type endingConn struct {
	net.Conn
	ended func()
}

func (c endingConn) Close() error {
	defer c.ended()
	return c.Conn.Close()
}
