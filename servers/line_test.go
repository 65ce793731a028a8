package servers_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/servers"
	"github.com/portlab/portlab/servers/wire"
)

func speaking(p servers.Protocol) servers.Config {
	c := config("foo")
	c.Protocol = p
	return c
}

// lineOf reads the next line.
func lineOf(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatalf("after %q: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// say sends a line and reads the answer.
func (c *client) say(line string) string {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
	return lineOf(c.t, c.answers)
}

// lineAnswer takes an answer of the line protocol apart.
func lineAnswer(t *testing.T, line, id string) wire.Answer {
	t.Helper()
	got, value, _ := strings.Cut(line, " ")
	a, err := wire.Parse(value)
	if err != nil || got != id {
		t.Fatalf("%q is no answer to request %s: %v", line, id, err)
	}
	return a
}

func TestLinesSayWhoAnswered(t *testing.T) {
	r := start(t, speaking(servers.TCP))
	for connection := uint64(1); connection <= 2; connection++ {
		c := dial(t, r.address())
		for request, id := range []string{"7", "0", "9223372036854775807"} {
			a := lineAnswer(t, c.say("portlab "+id+" /"), id)
			if a.Instance != "foo" || a.Connection != connection || a.Request != uint64(request)+1 {
				t.Errorf("got %+v, want request %d on connection %d", a, request+1, connection)
			}
			if want := c.LocalAddr().String(); a.Client.String() != want {
				t.Errorf("client %v, want %s", a.Client, want)
			}
		}
	}
}

func TestLinesDoWork(t *testing.T) {
	const delay = 20 * time.Millisecond
	c := dial(t, start(t, speaking(servers.TCP)).address())
	for _, size := range []int{1, 100, 100_000} {
		line := c.say(fmt.Sprintf("portlab 5 /any?delay=%v&body=%d", delay, size))
		value, found := strings.CutSuffix(line, " "+strings.Repeat("x", size))
		if !found {
			t.Fatalf("body=%d: no such padding in an answer of %d bytes", size, len(line))
		}
		if a := lineAnswer(t, value, "5"); a.Service < delay {
			t.Errorf("service time %v, want at least %v", a.Service, delay)
		}
	}
	if line := c.say("portlab 5 /?body=0"); strings.HasSuffix(line, " ") {
		t.Errorf("%q is padded with nothing", line)
	}
}

func TestLineThatIsTheLastEndsTheConnection(t *testing.T) {
	c := dial(t, start(t, speaking(servers.TCP)).address())
	lineAnswer(t, c.say("portlab 1 /"), "1")
	lineAnswer(t, c.say("portlab 2 /?delay=5ms close"), "2")
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d bytes and error %v behind the last answer", n, err)
	}
}

func TestLinesThatCannotBeReadAreAnswered(t *testing.T) {
	c := dial(t, start(t, speaking(servers.TCP)).address())
	lineAnswer(t, c.say("portlab 1 /"), "1")
	for line, want := range map[string]string{
		"":                              "0 error ",
		"GET / HTTP/1.1":                "0 error ",
		"portlab -1 /":                  "0 error the ID",
		"portlab 9223372036854775808 /": "0 error the ID",
		"portlab":                       "0 error ",
		"portlab 3":                     "3 error the path",
		"portlab 3 x":                   "3 error the path",
		"portlab 3 / HTTP":              "3 error the path",
		"portlab 3 /?delay=5":           "3 error delay must be",
		"portlab 3 /?body=%zz":          "3 error the query",
	} {
		if got := c.say(line); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	lineAnswer(t, c.say("portlab 2 /\r"), "2")
}

func TestLineWithoutEndIsCutOff(t *testing.T) {
	c := dial(t, start(t, speaking(servers.TCP)).address())
	if _, err := io.WriteString(c, "portlab 1 /"+strings.Repeat("x", 5000)); err != nil {
		t.Fatal(err)
	}
	if got := lineOf(t, c.answers); !strings.HasPrefix(got, "0 error") || !strings.Contains(got, "4096") {
		t.Errorf("got %q", got)
	}
	if _, err := c.answers.ReadByte(); err != io.EOF {
		t.Errorf("the connection goes on: %v", err)
	}
}

func TestLinesOneByteAtATimeAndManyAtOnce(t *testing.T) {
	c := dial(t, start(t, speaking(servers.TCP)).address())
	if err := c.Conn.(*net.TCPConn).SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	for _, b := range []byte("portlab 1 /\n") {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // so that each is a segment
	}
	lineAnswer(t, lineOf(t, c.answers), "1")
	if _, err := io.WriteString(c, "portlab 2 /\nportlab 3 /\nportlab 4 /\n"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"2", "3", "4"} {
		lineAnswer(t, lineOf(t, c.answers), id)
	}
}

func TestHTTPGoesOnBesideLines(t *testing.T) {
	r := start(t, speaking(servers.TCP))
	c := dial(t, r.address())
	for range 2 {
		if resp, body := c.get("/healthz"); resp.StatusCode != http.StatusOK || body != "ok\n" {
			t.Errorf("got %s and %q", resp.Status, body)
		}
	}
	resp, err := http2Client(t).Get("http://" + r.address() + "/")
	if err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("HTTP/2: %v, %v", resp, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	// p, as lines begin, but another method.
	odd := dial(t, r.address())
	if _, err := io.WriteString(odd, "portlabel / HTTP/1.1\r\nHost: portlab.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(odd.answers, nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("another method: %v, %v", resp, err)
	}
}

func TestLinesAreNotSpokenUnlessAskedFor(t *testing.T) {
	c := dial(t, start(t, config("foo")).address())
	if _, err := io.WriteString(c, "portlab 1 /?delay=5ms\n\n"); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.ReadResponse(c.answers, nil); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestDrainFinishesLinesUnderWay(t *testing.T) {
	r := start(t, speaking(servers.TCP))
	idle, slow := dial(t, r.address()), dial(t, r.address())
	lineAnswer(t, idle.say("portlab 1 /"), "1")
	if _, err := io.WriteString(slow, "portlab 2 /?delay=300ms\n"); err != nil {
		t.Fatal(err)
	}
	awaitInFlight(t, r, 1)
	r.stop(nil)
	await(t, "new connections to be refused", refused(r.address()))
	lineAnswer(t, idle.say("portlab 3 /"), "3") // it still comes, and is the last
	lineAnswer(t, lineOf(t, slow.answers), "2")
	for _, c := range []*client{idle, slow} {
		if _, err := c.answers.ReadByte(); err != io.EOF {
			t.Errorf("after the drain: %v, want the end", err)
		}
	}
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

// awaitInFlight waits until so many requests are under way.
func awaitInFlight(t *testing.T, r *replica, want float64) {
	t.Helper()
	await(t, fmt.Sprint(want, " requests under way"), func() bool {
		m := single(t, scrape(t, r.address()), "portlab_requests_in_flight", "replica", "foo")
		return m.GetGauge().GetValue() == want+1 // and the scrape
	})
}

func TestDrainCutsOffLinesThatTakeTooLong(t *testing.T) {
	config := speaking(servers.TCP)
	config.DrainTimeout = time.Millisecond
	r := start(t, config)
	c := dial(t, r.address())
	if _, err := io.WriteString(c, "portlab 1 /?delay=1m\n"); err != nil {
		t.Fatal(err)
	}
	awaitInFlight(t, r, 1)
	r.stop(nil)
	if err := <-r.done; err == nil || !strings.Contains(err.Error(), "1 requests still under way after 1ms were cut off") {
		t.Errorf("Serve = %v, want an error that says what was cut off", err)
	}
	if line, err := c.answers.ReadString('\n'); err == nil {
		t.Errorf("the client got %q", line)
	}
}
