package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

func TestClassify(t *testing.T) {
	deadline := fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
	tests := []struct {
		err       error
		connected bool
		want      lab.Fault
	}{
		{syscall.ECONNREFUSED, false, lab.Refused},
		{syscall.ECONNRESET, true, lab.Reset},
		{syscall.ECONNRESET, false, lab.Reset},
		{syscall.EPIPE, true, lab.Reset},
		{errClosedEarly, true, lab.Reset},
		{syscall.EHOSTUNREACH, false, lab.Unreachable},
		{syscall.EHOSTUNREACH, true, lab.Unreachable},
		{syscall.ENETUNREACH, false, lab.Unreachable},
		{syscall.EADDRNOTAVAIL, false, lab.ClientLimit},
		{syscall.EMFILE, false, lab.ClientLimit},
		{syscall.ENFILE, false, lab.ClientLimit},
		{syscall.ENOBUFS, true, lab.ClientLimit},
		{syscall.ENOMEM, false, lab.ClientLimit},
		{syscall.ETIMEDOUT, false, lab.ConnectTimeout},
		{syscall.ETIMEDOUT, true, lab.ReadTimeout},
		{deadline, false, lab.ConnectTimeout},
		{deadline, true, lab.ReadTimeout},
		{errTooLong, true, lab.BadAnswer},
		{&malformedError{errors.New("no HTTP")}, true, lab.BadAnswer},
		{syscall.EACCES, false, lab.Other},
		{syscall.EPERM, false, lab.Other},
		{errors.New("something new"), true, lab.Other},
	}
	for _, test := range tests {
		wrapped := fmt.Errorf("request: %w", &os.PathError{Op: "read", Path: "tcp", Err: test.err})
		if got := classify(wrapped, test.connected); got != test.want {
			t.Errorf("%v with connected %v: %s, want %s", test.err, test.connected, got, test.want)
		}
	}
}

func TestRefused(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	to := addressOf(l)
	l.Close()
	samples := drive(t, plan(20, 2), to)
	allFaults(t, samples, lab.Refused)
	for _, s := range samples {
		if s.Connected != 0 || s.FirstByte != 0 || s.Status != 0 || s.Target != to {
			t.Errorf("sample of a connection that never stood: %+v", s)
		}
	}
}

func TestAnswersThatAreCutShort(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n"
	tests := map[string]struct {
		handle func(*net.TCPConn)
		want   lab.Fault
		status int
	}{
		"reset before the answer":    {resets(""), lab.Reset, 0},
		"reset inside the body":      {resets(head + "Content-Length: 10\r\n\r\n12345"), lab.Reset, 200},
		"closed before the answer":   {says(""), lab.Reset, 0},
		"closed inside the status":   {says("HTTP/1.1 2"), lab.Reset, 0},
		"closed inside the header":   {says(head + "Content-Le"), lab.Reset, 0},
		"closed inside the body":     {says(head + "Content-Length: 10\r\n\r\n12345"), lab.Reset, 200},
		"closed inside a chunk":      {says(head + "Transfer-Encoding: chunked\r\n\r\n5\r\n123"), lab.Reset, 200},
		"closed before last chunk":   {says(head + "Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n"), lab.Reset, 200},
		"closed after interim":       {says("HTTP/1.1 103 Early Hints\r\n\r\n"), lab.Reset, 0},
		"no HTTP":                    {says("SSH-2.0-OpenSSH_9.2\r\n"), lab.BadAnswer, 0},
		"no HTTP, and no end":        {saysAndHolds("SSH-2.0-OpenSSH_9.2\r\n"), lab.BadAnswer, 0},
		"chunk of no size":           {saysAndHolds(head + "Transfer-Encoding: chunked\r\n\r\nfoo\r\n"), lab.BadAnswer, 200},
		"status 503":                 {says("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), lab.BadAnswer, 503},
		"status without a name":      {says("HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n"), lab.BadAnswer, 299},
		"interim without end":        {saysAndHolds(strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 50)), lab.BadAnswer, 0},
		"unreadable word of who":     {says(head + wire.Header + ": v=99\r\nContent-Length: 0\r\n\r\n"), lab.BadAnswer, 200},
		"status 200, but too little": {says(head + "Content-Length: 1\r\n\r\n"), lab.Reset, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			samples := drive(t, plan(3, 1), rawServer(t, test.handle))
			allFaults(t, samples, test.want)
			for _, s := range samples {
				if s.Status != test.status || s.Connected == 0 {
					t.Errorf("status %d, want %d; connected %s", s.Status, test.status, s.Connected)
				}
			}
		})
	}
}

// resets answers, waits until the client has it all, and resets the connection.
func resets(answer string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		says(answer)(c)
		awaitAcknowledged(c)
		_ = c.SetLinger(0)
	}
}

// awaitAcknowledged waits until nothing that was sent is under way (SIOCOUTQ,
// tcp(7)), at most a second.
func awaitAcknowledged(c *net.TCPConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	for range 1000 {
		var left int
		_ = raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		if err != nil || left == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func saysAndHolds(answer string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { says(answer)(c); untilGone(c) }
}

func TestStatusThatIsNot200KeepsWhoGaveIt(t *testing.T) {
	to := rawServer(t, says("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n"+wire.Header+
		": v=1, instance=\"bar\", conn=3, req=1, client=\"192.0.2.1:1024\", service-ns=5\r\n\r\n"))
	samples := drive(t, plan(2, 1), to)
	allFaults(t, samples, lab.BadAnswer)
	if s := samples[0]; s.Instance != "bar" || s.ReplicaConnection != 3 || s.Detail != "status 502 Bad Gateway" {
		t.Errorf("sample %+v", s)
	}
}

func TestReadTimeout(t *testing.T) {
	tests := map[string]func(*net.TCPConn){
		"no answer":        saysAndHolds(""),
		"half an answer":   saysAndHolds("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfoo"),
		"a byte at a time": drips("HTTP/1.1 200 OK\r\nX: "),
		"an answer too late": func(c *net.TCPConn) {
			time.Sleep(75 * time.Millisecond)
			says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
		},
		"a body that drips": drips("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(2, 2)
			p.Timeout = 50 * time.Millisecond
			samples := drive(t, p, rawServer(t, handle))
			allFaults(t, samples, lab.ReadTimeout)
			for _, s := range samples {
				if s.Latency() < p.Timeout || s.Connected == 0 {
					t.Errorf("latency %s, timeout %s, connected %s", s.Latency(), p.Timeout, s.Connected)
				}
			}
		})
	}
}

// drips goes on for longer than any timeout here, a byte each millisecond.
func drips(head string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		says(head)(c)
		for range 20_000 {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
}

// TestConnectTimeout dials a listening socket whose queue is full: Linux drops
// the SYN then (tcp_abort_on_overflow = 0, tcp(7)).
func TestConnectTimeout(t *testing.T) {
	p := plan(3, 3)
	p.Timeout = 50 * time.Millisecond
	samples := drive(t, p, fullListener(t))
	allFaults(t, samples, lab.ConnectTimeout)
	for _, s := range samples {
		if s.Latency() < p.Timeout || s.Connected != 0 {
			t.Errorf("latency %s, timeout %s, connected %s", s.Latency(), p.Timeout, s.Connected)
		}
	}
}

func fullListener(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	to := addrPort(name)
	for range 8 {
		c, err := net.DialTimeout("tcp", to.String(), 100*time.Millisecond)
		if err != nil {
			return to
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("a queue of length 0 took eight connections")
	return to
}

// TestNoDescriptors takes all descriptors away and finds that every request
// fails as the client's own fault, after a rest, and that none hangs.
func TestNoDescriptors(t *testing.T) {
	to := goServer(t, "foo")
	allFaults(t, drive(t, plan(1, 1), to), "") // so that the poller has what it needs
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	free, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	restore := sync.OnceFunc(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	defer restore()
	samples := drive(t, plan(4, 1), to)
	restore()
	allFaults(t, samples, lab.ClientLimit)
	for i, s := range samples[1:] {
		if pause := s.Due - samples[i].Done; pause < minRest<<i {
			t.Errorf("request %d was due %s after the fault before", s.Request, pause)
		}
	}
	allFaults(t, drive(t, plan(4, 1), to), "")
}

// TestLongFaultTextIsCut: an answer that is no HTTP is quoted, and may be long.
func TestLongFaultTextIsCut(t *testing.T) {
	to := rawServer(t, says(strings.Repeat("x", 3000)+"\r\n"))
	samples := drive(t, plan(1, 1), to)
	allFaults(t, samples, lab.BadAnswer)
	if n := len(samples[0].Detail); n > maxDetail+3 {
		t.Errorf("%d bytes of detail", n)
	}
}

// TestClosedLoopGoesOnAfterFaults: every other connection is reset.
func TestClosedLoopGoesOnAfterFaults(t *testing.T) {
	var n atomic.Int32
	to := rawServer(t, func(c *net.TCPConn) {
		if n.Add(1)%2 == 0 {
			resets("")(c)
			return
		}
		says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
	})
	counts := map[lab.Fault]int{}
	for _, s := range drive(t, plan(40, 4), to) {
		counts[s.Fault]++
	}
	if counts[lab.Reset] != 20 || counts[""] != 20 {
		t.Errorf("faults %v, want 20 resets among 40", counts)
	}
}
