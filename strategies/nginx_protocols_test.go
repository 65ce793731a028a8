package strategies

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// The real nginx speaks HTTP/2 at the front where clients do: the streams of one
// connection take turns.
func TestNginxSpreadsStreams(t *testing.T) {
	p := onEngine("aaaaaa").speaking(lab.HTTP2)
	front := nginxBefore(t, p, func(w http.ResponseWriter, r *http.Request, name string) error {
		_, err := fmt.Fprint(w, name, " ", r.Proto)
		return err
	})
	var opened atomic.Int64
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			opened.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(client.CloseIdleConnections)
	await(t, func() bool { return askBy(&client, "http://"+front.String()) != "" })
	opened.Store(0)
	client.CloseIdleConnections()
	got := map[string]int{}
	for range 30 {
		got[askBy(&client, "http://"+front.String())]++
	}
	for _, name := range []string{"foo", "bar", "baz"} {
		if got[name+" HTTP/1.1"] != 10 {
			t.Errorf("30 streams went %v, want 10 to each", got)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// The real nginx passes a change of the protocol on, and then bytes both ways.
func TestNginxPassesWebSockets(t *testing.T) {
	p := onEngine("aaaaaa").speaking(lab.WebSocket)
	front := nginxBefore(t, p, func(w http.ResponseWriter, r *http.Request, name string) error {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "upgrade" {
			_, err := fmt.Fprint(w, name)
			return err
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
		for err = rw.Flush(); err == nil; err = rw.Flush() {
			var line string
			if line, err = rw.ReadString('\n'); err == nil {
				fmt.Fprintf(rw, "%s: %s", name, line)
			}
		}
		return c.Close() // the client has closed
	})
	await(t, func() bool { return ask("http://"+front.String()) != "" })
	c, err := net.Dial("tcp", front.String())
	if err != nil {
		t.Fatal(err)
	}
	closing(t, c)
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: lab\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	in := bufio.NewReader(c)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%+v, %v, want the protocol switched", res, err)
	}
	seen := map[string]bool{}
	for i := range 5 {
		fmt.Fprintf(c, "message %d\n", i)
		name, rest, _ := strings.Cut(read(t, in), ": ")
		seen[name] = true
		if rest != fmt.Sprintf("message %d\n", i) {
			t.Errorf("message %d came back as %q", i, rest)
		}
	}
	if len(seen) != 1 {
		t.Errorf("one connection reached %v", seen)
	}
}

func read(t *testing.T, in *bufio.Reader) string {
	t.Helper()
	line, err := in.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// nginxBefore runs nginx until the test ends, before three servers that answer
// by their names, and gives its address.
func nginxBefore(t *testing.T, p place, answer func(w http.ResponseWriter, r *http.Request, name string) error) netip.AddrPort {
	t.Helper()
	path := present(t, "nginx")
	p.facts.SidecarListen = []netip.AddrPort{freePort(t, "127.0.0.1")}
	var to []lab.Replica
	for i := range 3 {
		name := lab.InstanceName(i)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := answer(w, r, name); err != nil {
				t.Error(err)
			}
		}))
		t.Cleanup(s.Close)
		to = append(to, lab.Replica{Instance: name, Weight: 1, Address: netip.MustParseAddrPort(s.Listener.Addr().String())})
	}
	dir := t.TempDir()
	s := sidecar(t, p, nginx{}, to)
	write(t, dir, s)
	var args []string
	for _, a := range s.Args {
		args = append(args, strings.ReplaceAll(a, lab.SidecarDir, dir))
	}
	started(t, dir, path, args...)
	return p.facts.SidecarListen[0]
}
