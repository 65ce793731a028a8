package servers_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/servers"
)

// gateway is a reverse proxy under test.
type gateway struct {
	t       *testing.T
	path    string // of its configuration
	log     *buffer
	address string
	stop    context.CancelFunc
	done    chan error // what RunProxy returns
}

// startProxy starts a proxy on a free port and ends it with the test.
func startProxy(t *testing.T, to ...servers.Upstream) *gateway {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	g := &gateway{
		t: t, path: filepath.Join(t.TempDir(), "proxy.json"), log: new(buffer), stop: stop, done: make(chan error, 1),
	}
	g.write(to...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.done <- servers.RunProxy(ctx, g.path, g.log)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	g.address = logged(t, g.log)
	return g
}

func (g *gateway) write(to ...servers.Upstream) {
	g.t.Helper()
	c := servers.ProxyConfig{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Upstreams: to}
	text, err := json.Marshal(c)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := os.WriteFile(g.path, text, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// hangup has the proxy read its configuration again, and waits for its word.
func (g *gateway) hangup(word string) {
	g.t.Helper()
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		g.t.Fatal(err)
	}
	g.log.await(g.t, word)
}

func (r *replica) upstream(weight float64) servers.Upstream {
	return servers.Upstream{Address: r.Addresses()[0], Weight: weight}
}

func TestProxyTakesTurnsByWeight(t *testing.T) {
	foo, bar := start(t, config("foo")), start(t, config("bar"))
	g := startProxy(t, foo.upstream(3), bar.upstream(1))
	got := map[string]int{}
	var connections uint64
	for range 8 {
		resp, body := dial(t, g.address).get("/") // the turn is not of a connection, but of the proxy
		a := answerOf(t, resp)
		if body != "Hello from "+a.Instance+"\n" {
			t.Errorf("%s answered %q", a.Instance, body)
		}
		got[a.Instance]++
		connections = max(connections, a.Connection)
	}
	if got["foo"] != 6 || got["bar"] != 2 {
		t.Errorf("of 8 requests by weights 3 and 1: %v", got)
	}
	if connections != 1 {
		t.Errorf("%d connections to one upstream, want that one is used again", connections)
	}
}

func TestProxyPassesTheClientsAddress(t *testing.T) {
	seen := make(chan *http.Request, 1)
	up := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r }))
	defer up.Close()
	g := startProxy(t, servers.Upstream{Address: addrPort(t, up.Listener.Addr()), Weight: 1})
	c := dial(t, g.address)
	c.get("/a?b=c")
	r := <-seen
	if got := r.Header.Get("X-Forwarded-For"); got != "127.0.0.1" {
		t.Errorf("X-Forwarded-For is %q", got)
	}
	if r.Host != "portlab.test" || r.URL.String() != "/a?b=c" || r.Header.Get("Accept-Encoding") != "" {
		t.Errorf("the request was changed: Host %q, %s, %v", r.Host, r.URL, r.Header)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: portlab.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := (<-seen).Header.Get("X-Forwarded-For"); got != "192.0.2.1, 127.0.0.1" {
		t.Errorf("behind another proxy X-Forwarded-For is %q", got)
	}
}

func TestProxySaysThatAnUpstreamIsDown(t *testing.T) {
	foo := start(t, config("foo"))
	down := refusing(t)
	g := startProxy(t, servers.Upstream{Address: down, Weight: 1}, foo.upstream(1))
	c := dial(t, g.address)
	for range 2 {
		resp, body := c.get("/")
		if resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, down.String()) || !strings.Contains(body, "refused") {
			t.Errorf("got %s and %q, want 502, the address and the reason", resp.Status, body)
		}
		// A retry would have taken this turn.
		if resp, _ := c.get("/"); resp.StatusCode != http.StatusOK {
			t.Errorf("got %s from the upstream that is up", resp.Status)
		}
	}
}

func TestProxyReloadLosesNothing(t *testing.T) {
	var open atomic.Int32
	release := make(chan struct{})
	up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			w.(http.Flusher).Flush()
			<-release
		}
		_, _ = io.WriteString(w, "old")
	}))
	up.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	up.Start()
	defer up.Close()
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo() // before up.Close, which waits for the handler
	foo := start(t, config("foo"))
	g := startProxy(t, servers.Upstream{Address: addrPort(t, up.Listener.Addr()), Weight: 1})
	slow, kept := dial(t, g.address), dial(t, g.address)
	underWay := slow.ask("/slow")
	kept.get("/")

	g.write(foo.upstream(1))
	g.hangup("reloaded, upstreams " + foo.address())
	if _, body := kept.get("/"); body != "Hello from foo\n" {
		t.Errorf("on the kept connection: %q, want the new upstream", body)
	}
	await(t, "the idle connection to the old upstream to close", func() bool { return open.Load() == 1 })
	letGo()
	if body, err := io.ReadAll(underWay.Body); err != nil || string(body) != "old" {
		t.Errorf("the request under way got %q, %v", body, err)
	}
	await(t, "the last connection to the old upstream to close", func() bool { return open.Load() == 0 })
}

func TestProxyReloadRefuses(t *testing.T) {
	foo := start(t, config("foo"))
	g := startProxy(t, foo.upstream(1))
	c := dial(t, g.address)
	g.write()
	g.hangup(`"upstreams" names no server`)
	c.get("/")
	text := `{"listen":["127.0.0.2:0"],"upstreams":[{"address":"127.0.0.1:1","weight":1}]}`
	if err := os.WriteFile(g.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.hangup("cannot change from 127.0.0.1:0 to 127.0.0.2:0")
	if resp, _ := c.get("/"); answerOf(t, resp).Instance != "foo" {
		t.Error("the old configuration is gone")
	}
}

func TestProxyDrains(t *testing.T) {
	foo := start(t, config("foo"))
	g := startProxy(t, foo.upstream(1))
	resp := dial(t, g.address).ask(big)
	g.stop()
	await(t, "new connections to be refused", refused(g.address))
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != servers.MaxBody {
		t.Errorf("read %d bytes of %d, %v", n, servers.MaxBody, err)
	}
	if err := <-g.done; err != nil {
		t.Errorf("RunProxy = %v after a whole drain", err)
	}
}

func TestProxyRefusesABadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := servers.RunProxy(context.Background(), path, io.Discard)
	if !errors.Is(err, servers.ErrConfig) || !strings.Contains(err.Error(), path) {
		t.Errorf("RunProxy = %v, want an error that names the file", err)
	}
}

func addrPort(t *testing.T, a net.Addr) netip.AddrPort {
	t.Helper()
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refusing is an address where every connection is refused for as long as the
// test runs: a socket has it that does not listen.
func refusing(t *testing.T) netip.AddrPort {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*unix.SockaddrInet4).Port))
}
