package servers_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/servers"
)

// datagrams is a client of UDP that takes answers from one address alone.
type datagrams struct {
	t *testing.T
	*net.UDPConn
}

func dialDatagrams(t *testing.T, address string) *datagrams {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &datagrams{t, c.(*net.UDPConn)}
}

func (d *datagrams) send(line string) {
	d.t.Helper()
	if _, err := d.Write([]byte(line)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *datagrams) receive() string {
	d.t.Helper()
	answer := make([]byte, 1<<16)
	n, err := d.Read(answer)
	if err != nil {
		d.t.Fatal(err)
	}
	line, found := strings.CutSuffix(string(answer[:n]), "\n")
	if !found {
		d.t.Errorf("%.40q does not end as a line does", answer[:n])
	}
	return line
}

func (d *datagrams) exchange(line string) string {
	d.t.Helper()
	d.send(line)
	return d.receive()
}

func TestDatagramsSayWhoAnswered(t *testing.T) {
	r := start(t, speaking(servers.UDP))
	for client := uint64(1); client <= 2; client++ {
		d := dialDatagrams(t, r.address())
		for request, line := range []string{"portlab 7 /", "portlab 7 /\n", "portlab 7 /?delay=1ms"} {
			a := lineAnswer(t, d.exchange(line), "7")
			if a.Instance != "foo" || a.Connection != client || a.Request != uint64(request)+1 || a.Client.String() != d.LocalAddr().String() {
				t.Errorf("got %+v, want request %d of client %d, %s", a, request+1, client, d.LocalAddr())
			}
		}
		if got := d.exchange("portlab 8 /?body=1000"); !strings.HasSuffix(got, " "+strings.Repeat("x", 1000)) {
			t.Errorf("not padded: %q", got)
		}
	}
	if resp, _ := dial(t, r.address()).get("/healthz"); answerOf(t, resp).Connection != 3 {
		t.Errorf("HTTP on the same port is not answered as connection 3: %+v", answerOf(t, resp))
	}
	if n := single(t, scrape(t, r.address()), "portlab_connections_accepted_total", "replica", "foo").GetCounter().GetValue(); n != 4 {
		t.Errorf("%v connections were counted, want 2 clients of UDP and 2 connections", n)
	}
}

func TestDatagramsThatCannotBeReadAreAnswered(t *testing.T) {
	d := dialDatagrams(t, start(t, speaking(servers.UDP)).address())
	for line, want := range map[string]string{
		"":                       "0 error",
		"\x00\xff":               "0 error",
		"portlab 3 /?delay=x":    "3 error delay",
		"portlab 3 /?body=65507": "3 error the answer does not fit",
		"portlab 3 /?body=65500": "3 error the answer does not fit",
		"portlab 3 /" + strings.Repeat("x", 5000): "3 error a request has at most",
	} {
		if got := d.exchange(line); !strings.HasPrefix(got, want) {
			t.Errorf("%.40q: got %.80q, want %q", line, got, want)
		}
	}
}

// TestDelayedDatagramsHoldNobodyUp has answers come in another order.
func TestDelayedDatagramsHoldNobodyUp(t *testing.T) {
	d := dialDatagrams(t, start(t, speaking(servers.UDP)).address())
	d.send("portlab 1 /?delay=200ms")
	d.send("portlab 2 /")
	lineAnswer(t, d.receive(), "2")
	lineAnswer(t, d.receive(), "1")
}

// TestDatagramsAreAnsweredFromTheAddressThatWasAsked asks a socket for all
// addresses at one that no route prefers. The client's socket is connected: it
// takes answers from that address alone.
func TestDatagramsAreAnsweredFromTheAddressThatWasAsked(t *testing.T) {
	c := speaking(servers.UDP)
	c.Hosts = []netip.Addr{netip.IPv4Unspecified()}
	port := start(t, c).Addresses()[0].Port()
	for _, host := range []string{"127.0.0.2", "127.1.2.3"} {
		d := dialDatagrams(t, netip.AddrPortFrom(netip.MustParseAddr(host), port).String())
		lineAnswer(t, d.exchange("portlab 1 /"), "1")
		lineAnswer(t, d.exchange("portlab 2 /?delay=1ms"), "2")
	}
}

func TestDatagramsOfBothFamilies(t *testing.T) {
	requireIPv6(t)
	c := speaking(servers.UDP)
	c.Hosts = []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	port := start(t, c).Addresses()[0].Port()
	for _, host := range []string{"127.0.0.1", "::1"} {
		d := dialDatagrams(t, netip.AddrPortFrom(netip.MustParseAddr(host), port).String())
		if a := lineAnswer(t, d.exchange("portlab 1 /"), "1"); a.Client.Addr().String() != host {
			t.Errorf("the client is %s, want %s", a.Client, host)
		}
	}
}

func TestReusePortSharesOneUDPPort(t *testing.T) {
	c := speaking(servers.UDP)
	c.ReusePort = true
	first := start(t, c)
	c.Instance, c.Port = "bar", first.Addresses()[0].Port()
	start(t, c)
	// As in TestReusePortSharesOnePort: all 64 at one of them once in 2^63.
	answered := map[string]int{}
	for range 64 {
		answered[lineAnswer(t, dialDatagrams(t, first.address()).exchange("portlab 1 /"), "1").Instance]++
	}
	if answered["foo"] == 0 || answered["bar"] == 0 || answered["foo"]+answered["bar"] != 64 {
		t.Errorf("64 clients were answered by %v", answered)
	}
}

func TestDrainAnswersDatagramsThatHaveCome(t *testing.T) {
	r := start(t, speaking(servers.UDP))
	d := dialDatagrams(t, r.address())
	d.send("portlab 1 /?delay=300ms")
	awaitInFlight(t, r, 1)
	r.stop(nil)
	lineAnswer(t, d.receive(), "1")
	if err := <-r.done; err != nil {
		t.Errorf("Serve = %v after a whole drain", err)
	}
}

// TestDatagramsThatCameBeforeTheDrainAreAnswered has them wait in the socket
// when the server, which was told to end before it served, looks.
func TestDatagramsThatCameBeforeTheDrainAreAnswered(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := servers.Listen(ctx, speaking(servers.UDP), new(buffer))
	if err != nil {
		t.Fatal(err)
	}
	d := dialDatagrams(t, s.Addresses()[0].String())
	for id := range 20 {
		d.send(fmt.Sprintf("portlab %d /", id))
	}
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Fatal(err)
	}
	for id := range 20 {
		lineAnswer(t, d.receive(), fmt.Sprint(id))
	}
}

func TestInheritsUDPSockets(t *testing.T) {
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	cmd, log := handFiles(t, "serve", []filer{u, tcp(t, "127.0.0.1:0")}, "INSTANCE=foo", "PROTOCOL=udp", "LISTEN_FDS=2")
	log.await(t, "listening on ")
	d := dialDatagrams(t, u.LocalAddr().String())
	if a := lineAnswer(t, d.exchange("portlab 1 /"), "1"); a.Instance != "foo" {
		t.Errorf("answered by %+v", a)
	}
	end(t, cmd, log)
}

func TestInheritedSocketsMustBeOfTheProtocol(t *testing.T) {
	u, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for name, c := range map[string]struct {
		protocol string
		socket   filer
		says     string
	}{
		"UDP for TCP":  {"tcp", u, "not of TCP"},
		"TCP for UDP":  {"udp", tcp(t, "127.0.0.1:0"), "must be a UDP socket"},
		"UDP for HTTP": {"http", u, "not of TCP"},
	} {
		cmd, log := handFiles(t, "serve", []filer{c.socket}, "INSTANCE=foo", "PROTOCOL="+c.protocol, "LISTEN_FDS=1")
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 2 || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s: it ended with %v and says %s; want the status of a bad configuration and %q", name, err, log, c.says)
		}
	}
}

// filer is a socket that can be handed to a child.
type filer interface{ File() (*os.File, error) }

func handFiles(t *testing.T, child string, sockets []filer, env ...string) (*exec.Cmd, *buffer) {
	t.Helper()
	cmd, log := reexec(t, child, env...)
	for _, s := range sockets {
		f, err := s.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, log
}
