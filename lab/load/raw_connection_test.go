package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

const empty200 = head200 + "Content-Length: 0\r\n\r\n"

// answersEach answers the requests of a connection with these in turn, and
// then closes it.
func answersEach(answers ...string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		from := bufio.NewReader(c)
		for _, a := range answers {
			if _, err := http.ReadRequest(from); err != nil {
				return
			}
			_, _ = io.WriteString(c, a)
		}
	}
}

func TestKeptConnections(t *testing.T) {
	p := plan(200, 4)
	p.PerConnection = 0
	samples, client := driveRaw(t, Raw{Threads: 1}, Local{}, p, goServer(t, "foo"))
	allFaults(t, samples, "")
	local := map[netip.AddrPort]int{}
	for _, s := range samples {
		if number, known := local[s.Local]; known && number != s.Connection {
			t.Errorf("connections %d and %d have one address", number, s.Connection)
		}
		local[s.Local] = s.Connection
		if s.ClosedFirst != "" || s.Connected == 0 || s.ReplicaSaw != s.Local || s.Connection >= 4 {
			t.Errorf("sample %+v", s)
		}
	}
	if len(local) > 4 || client.ClosedFirst != len(local) {
		t.Errorf("%d connections of 4 workers, and %d that the client closed first", len(local), client.ClosedFirst)
	}
}

// TestSoManyRequestsOnEachConnection: the last of them asks the server to close.
func TestSoManyRequestsOnEachConnection(t *testing.T) {
	var asked atomic.Int32
	s := httpServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Close {
			asked.Add(1)
		}
	})
	p := plan(12, 1)
	p.PerConnection = 3
	samples, client := driveRaw(t, Raw{Threads: 1}, Local{}, p, s)
	allFaults(t, samples, "")
	for i, s := range samples {
		closer := lab.End("")
		if i%3 == 2 {
			closer = lab.ServerEnd
		}
		if s.Connection != i/3 || s.ClosedFirst != closer {
			t.Errorf("request %d: connection %d, closed first by %q", i, s.Connection, s.ClosedFirst)
		}
	}
	if asked.Load() != 4 || client.ClosedFirst != 0 {
		t.Errorf("%d requests asked to close, and the client closed %d", asked.Load(), client.ClosedFirst)
	}
}

// httpServer is a server of Go's net/http with this handler.
func httpServer(t testing.TB, handle http.HandlerFunc) netip.AddrPort {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	s := &http.Server{Handler: handle}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return addressOf(l)
}

func TestClientClosesFirstAsCurlDoes(t *testing.T) {
	const requests = 100
	var asked atomic.Int32
	to := httpServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Close {
			asked.Add(1)
		}
	})
	p := plan(requests, 4)
	p.CloseFirst = lab.ClientEnd
	samples, client := driveRaw(t, Raw{Threads: 1}, Local{}, p, to)
	allFaults(t, samples, "")
	for _, s := range samples {
		if s.ClosedFirst != lab.ClientEnd {
			t.Fatalf("closed first by %q", s.ClosedFirst)
		}
	}
	if inTimeWait, _ := timeWait(t, to); client.ClosedFirst != requests || inTimeWait < requests*9/10 {
		t.Errorf("the client closed %d, and %d are in TIME-WAIT on its side", client.ClosedFirst, inTimeWait)
	}
	if asked.Load() != 0 {
		t.Errorf("%d requests asked the server to close", asked.Load())
	}
}

func TestServerClosesRawConnectionsFirst(t *testing.T) {
	const requests = 200
	to := rawServer(t, func(c *net.TCPConn) {
		says(empty200)(c)
		time.Sleep(time.Millisecond)
	})
	samples := raw(t, plan(requests, 4), to)
	allFaults(t, samples, "")
	for _, s := range samples {
		if s.ClosedFirst != lab.ServerEnd {
			t.Errorf("closed first by %q", s.ClosedFirst)
		}
	}
	if client, server := timeWait(t, to); client > requests/10 || server < requests*9/10 {
		t.Errorf("of %d connections, %d are in TIME-WAIT on the client's side and %d on the server's", requests, client, server)
	}
}

// TestServerThatNeverCloses has the client wait, and then close first. The wait
// holds no worker: with one of them, all requests are made long before.
func TestServerThatNeverCloses(t *testing.T) {
	samples, client := driveRaw(t, Raw{Threads: 1}, Local{}, plan(50, 1), rawServer(t, saysAndHolds(empty200)))
	allFaults(t, samples, "")
	for _, s := range samples {
		if s.ClosedFirst != lab.ClientEnd {
			t.Errorf("closed first by %q", s.ClosedFirst)
		}
	}
	if client.ClosedFirst != 50 {
		t.Errorf("the client closed %d", client.ClosedFirst)
	}
}

// TestIdleConnectionThatTheServerCloses is opened anew: the requests are due so
// far apart that each close is seen before the next one.
func TestIdleConnectionThatTheServerCloses(t *testing.T) {
	p := openPlan(10, 6, lab.Constant)
	p.PerConnection, p.Timeout = 0, 10*time.Second
	samples := raw(t, p, rawServer(t, answersEach(empty200, empty200)))
	allFaults(t, samples, "")
	for i, s := range samples {
		if s.Connection != i/2 {
			t.Errorf("request %d is on connection %d", i, s.Connection)
		}
	}
}

// TestRequestThatMeetsAClose is lost and not made again.
func TestRequestThatMeetsAClose(t *testing.T) {
	p := plan(6, 1)
	p.PerConnection = 0
	var accepted atomic.Int32
	samples := raw(t, p, rawServer(t, func(c *net.TCPConn) {
		accepted.Add(1)
		answersEach(empty200, "")(c) // reads the second request, and closes
	}))
	for i, s := range samples {
		want := lab.Fault("")
		if i%2 == 1 {
			want = lab.Reset
		}
		if s.Fault != want || s.Connection != i/2 {
			t.Errorf("request %d: fault %q on connection %d", i, s.Fault, s.Connection)
		}
	}
	if accepted.Load() != 3 {
		t.Errorf("%d connections for 6 requests", accepted.Load())
	}
}

// TestConnectionsThatCannotBeUsedAgain: each request has one of its own.
func TestConnectionsThatCannotBeUsedAgain(t *testing.T) {
	tests := map[string]string{
		"it says so":            head200 + "Connection: close\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.0":              "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"an answer without end": empty200 + head200 + "Content-Length: 5\r\n\r\nhello",
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			p := plan(5, 1)
			p.PerConnection = 0
			samples := raw(t, p, rawServer(t, saysAndHolds(answer)))
			allFaults(t, samples, "")
			for i, s := range samples {
				if s.Connection != i {
					t.Errorf("request %d is on connection %d", i, s.Connection)
				}
			}
		})
	}
}

// TestLargeAndSlowAnswers: many reads for one answer.
func TestLargeAndSlowAnswers(t *testing.T) {
	tests := map[string]func(*net.TCPConn){
		"a mebibyte": says(head200 + "Content-Length: 1048576\r\n\r\n" + strings.Repeat("x", 1<<20)),
		"a byte at a time": func(c *net.TCPConn) {
			if _, err := readRequest(c); err != nil {
				return
			}
			for _, b := range []byte(head200 + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n") {
				_, _ = c.Write([]byte{b})
				time.Sleep(100 * time.Microsecond)
			}
		},
	}
	for name, handle := range tests {
		t.Run(name, func(t *testing.T) {
			for _, s := range raw(t, plan(3, 2), rawServer(t, handle)) {
				if !s.OK() || s.FirstByte > s.Done || s.FirstByte < s.Connected {
					t.Errorf("sample %+v", s)
				}
			}
		})
	}
}

// TestRequestThatDoesNotFit: a request larger than what a socket takes at once
// is sent in parts.
func TestRequestThatDoesNotFit(t *testing.T) {
	got := make(chan int, 1)
	to := rawServer(t, func(c *net.TCPConn) {
		time.Sleep(10 * time.Millisecond) // until the client can send no more
		n := 0
		buffer := make([]byte, 64<<10)
		for n < 8<<20 {
			k, err := c.Read(buffer)
			if err != nil {
				return
			}
			n += k
		}
		got <- n
		_, _ = io.WriteString(c, empty200)
	})
	p := plan(1, 1)
	p.Path = "/" + strings.Repeat("x", 8<<20-1)
	allFaults(t, raw(t, p, to), "")
	if n := <-got; n < len(p.Path) {
		t.Errorf("%d bytes came", n)
	}
}

func TestHostHeader(t *testing.T) {
	hosts := make(chan string, 2)
	to := httpServer(t, func(_ http.ResponseWriter, r *http.Request) { hosts <- r.Host + " " + r.UserAgent() })
	p := plan(1, 1)
	raw(t, p, to)
	p.Host = "www.example:8080"
	raw(t, p, to)
	if got, want := <-hosts, to.String()+" portlab"; got != want {
		t.Errorf("host and agent %q, want %q", got, want)
	}
	if got, want := <-hosts, "www.example:8080 portlab"; got != want {
		t.Errorf("host and agent %q, want %q", got, want)
	}
}
