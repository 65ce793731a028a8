package load

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestKindsOfAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	tests := map[string]string{
		"length":            head + "Content-Length: 5\r\n\r\nhello",
		"no body":           head + "Content-Length: 0\r\n\r\n",
		"chunks":            head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"chunks, trailer":   head + "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"until it closes":   head + "\r\nhello",
		"HTTP/1.0":          "HTTP/1.0 200 OK\r\n\r\nhello",
		"after early hints": "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head + "Content-Length: 5\r\n\r\nhello",
		"a mebibyte":        head + "Content-Length: 1048576\r\n\r\n" + strings.Repeat("x", 1<<20),
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			for _, s := range drive(t, plan(3, 1), rawServer(t, says(answer))) {
				if !s.OK() || s.Status != 200 || s.Instance != "" {
					t.Errorf("sample %+v", s)
				}
			}
		})
	}
}

// TestServerThatKeepsTheConnectionOpen has one that ignores Connection: close.
// Nothing hangs, the client waits for the server to close, and the wait is no
// part of the request.
func TestServerThatKeepsTheConnectionOpen(t *testing.T) {
	gone := make(chan time.Time, 1)
	to := rawServer(t, func(c *net.TCPConn) {
		saysAndHolds("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
		gone <- time.Now()
	})
	begun := time.Now()
	samples := drive(t, plan(1, 1), to)
	allFaults(t, samples, "")
	if wait := (<-gone).Sub(begun) - samples[0].Done; wait < maxPatience {
		t.Errorf("the client closed %s after the answer, want at least %s", wait, maxPatience)
	}
}

func TestPatienceEndsWithServersThatDoNotClose(t *testing.T) {
	w := newWorker(&loop{begun: time.Now()})
	silent, _ := pipe(t)
	for range 8 {
		w.part(silent)
	}
	if w.patience != minPatience {
		t.Errorf("patience %s after eight servers that did not close", w.patience)
	}
	closing, server := pipe(t)
	server.Close()
	if w.part(closing); w.patience != maxPatience {
		t.Errorf("patience %s after a server that closed", w.patience)
	}
}

// pipe is a connection and the server's end of it.
func pipe(t *testing.T) (*connection, *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	client, server := os.NewFile(uintptr(fds[0]), "client"), os.NewFile(uintptr(fds[1]), "server")
	t.Cleanup(func() { client.Close(); server.Close() })
	return &connection{File: client}, server
}

// endless gives a head and then the same bytes for ever.
type endless struct{ head, body string }

func (e *endless) Read(p []byte) (int, error) {
	if e.head == "" {
		e.head = e.body
	}
	n := copy(p, e.head)
	e.head = e.head[n:]
	return n, nil
}

func TestAnswersWithoutEnd(t *testing.T) {
	tests := map[string]*endless{
		"header": {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("y", 1<<16) + "\r\n"},
		"line":   {"HTTP/1.1 200 OK\r\nX: ", strings.Repeat("y", 1<<16)},
		"body":   {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("y", 1<<16)},
		"chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "400\r\n" + strings.Repeat("y", 1<<10) + "\r\n"},
	}
	for name, from := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := newAnswerReader(func() time.Duration { return 1 }).read(from)
			if classify(err, true) != lab.BadAnswer {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestFirstByteIsWhenTheFirstByteCame(t *testing.T) {
	var clock time.Duration
	now := func() time.Duration { return clock }
	from := iotest.OneByteReader(strings.NewReader("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
	r := newAnswerReader(now)
	if _, err := r.read(readerFunc(func(p []byte) (int, error) {
		clock += time.Second
		return from.Read(p)
	})); err != nil {
		t.Fatal(err)
	}
	if r.first != time.Second {
		t.Errorf("first byte at %s, want 1s", r.first)
	}
	if clock < 40*time.Second {
		t.Errorf("the clock is at %s: the answer did not come byte by byte", clock)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReaderIsUsableAgainAfterAFault(t *testing.T) {
	const good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
	r := newAnswerReader(func() time.Duration { return 1 })
	for _, bad := range []string{"", "HTTP/1.1 200 OK\r\nContent-Le", "garbage\r\n\r\nmore", good[:len(good)-1]} {
		if _, err := r.read(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is taken for an answer", bad)
		}
		if _, err := r.read(strings.NewReader(good)); err != nil {
			t.Errorf("after %q: %v", bad, err)
		}
	}
}

// FuzzAnswer: whatever comes, however it is cut and however it ends, reading
// ends, and its outcome has a fault that says so.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), byte(0), byte(3))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), byte(1), byte(1))
	f.Add([]byte("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 503 No\r\n\r\nhello"), byte(2), byte(7))
	f.Add([]byte("HTTP/1.1 200 OK\r\nPortlab-Answer: v=1\r\nContent-Length: 0\r\n\r\n"), byte(0), byte(200))
	ends := []error{io.EOF, syscall.ECONNRESET, os.ErrDeadlineExceeded}
	f.Fuzz(func(t *testing.T, data []byte, end, step byte) {
		last := ends[int(end)%len(ends)]
		left := bytes.NewReader(data)
		from := readerFunc(func(p []byte) (int, error) {
			if left.Len() == 0 {
				return 0, last
			}
			return left.Read(p[:min(len(p), int(step)+1)])
		})
		r := newAnswerReader(func() time.Duration { return 1 })
		head, err := r.read(from)
		if (r.first != 0) != (len(data) > 0) {
			t.Errorf("first byte at %s of %d bytes", r.first, len(data))
		}
		checkOutcome(t, head, err, last)
	})
}

func checkOutcome(t *testing.T, head *answerHead, err, last error) {
	t.Helper()
	if err == nil {
		if head == nil || head.status < 101 {
			t.Fatalf("no error, and head %v", head)
		}
		err = identify(&lab.Sample{}, head.header)
	}
	if err == nil {
		return
	}
	want := map[lab.Fault]bool{lab.BadAnswer: true}
	switch {
	case errors.Is(last, io.EOF):
		want[lab.Reset] = true
	default:
		want[classify(last, true)] = true
	}
	if got := classify(err, true); !want[got] {
		t.Errorf("fault %q of %v; the connection ended with %v", got, err, last)
	}
	if detail(err) == "" || len(detail(err)) > maxDetail+3 {
		t.Errorf("detail %q", detail(err))
	}
}
