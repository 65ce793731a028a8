package servers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo is a server that sends its name, and then what it is sent, until the
// client has ended its side.
func echo(t *testing.T, name string) Upstream {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.WriteString(c, name+":")
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return Upstream{Address: addressOf(l.Addr()), Weight: 1}
}

// startTCPProxy runs the proxy until the test ends, and gives its address and
// its configuration's file.
func startTCPProxy(t *testing.T, upstreams ...Upstream) (at netip.AddrPort, path string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at = addressOf(l.Addr())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "proxy.json")
	configure(t, path, at, upstreams)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- RunTCPProxy(ctx, path, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for range 500 {
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			_ = c.Close()
			return at, path
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not listen")
	return at, path
}

func configure(t *testing.T, path string, at netip.AddrPort, upstreams []Upstream) {
	t.Helper()
	text, err := json.Marshal(ProxyConfig{Listen: []netip.AddrPort{at}, Upstreams: upstreams})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// talk sends a text, ends its side, and gives who answered with what.
func talk(t *testing.T, at netip.AddrPort, text string) (name, got string) {
	t.Helper()
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = io.WriteString(c, text)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	name, got, _ = strings.Cut(string(all), ":")
	return name, got
}

// Each connection takes a turn by weight, and its bytes go both ways, each way
// to its own end.
func TestTCPProxyTakesTurns(t *testing.T) {
	foo, bar := echo(t, "foo"), echo(t, "bar")
	foo.Weight = 3
	at, _ := startTCPProxy(t, foo, bar)
	large := strings.Repeat("0123456789", 100_000)
	counts := map[string]int{}
	for range 8 {
		name, got := talk(t, at, large)
		if got != large {
			t.Fatalf("%d bytes came back, want the %d that were sent", len(got), len(large))
		}
		counts[name]++
	}
	if counts["foo"] != 6 || counts["bar"] != 2 {
		t.Errorf("8 connections went %v, want 6 and 2", counts)
	}
}

// An upstream that refuses is passed over.
func TestTCPProxyPassesOverTheDead(t *testing.T) {
	foo, dead := echo(t, "foo"), Upstream{Address: netip.MustParseAddrPort("127.0.0.1:1"), Weight: 1}
	at, _ := startTCPProxy(t, dead, foo)
	for range 4 {
		if name, _ := talk(t, at, "x"); name != "foo" {
			t.Errorf("answered by %q", name)
		}
	}
}

// A connection stays where it is when the file is read again, and new ones go
// to the new upstreams.
func TestTCPProxyReload(t *testing.T) {
	foo, bar := echo(t, "foo"), echo(t, "bar")
	at, path := startTCPProxy(t, foo)
	old, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	name := make([]byte, 4)
	if _, err := io.ReadFull(old, name); err != nil || string(name) != "foo:" {
		t.Fatalf("answered by %q, %v", name, err)
	}
	configure(t, path, at, []Upstream{bar})
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if name, _ := talk(t, at, "x"); name == "bar" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the new file was not read")
		}
	}
	if _, err := io.WriteString(old, "still"); err != nil {
		t.Fatal(err)
	}
	still := make([]byte, 5)
	if _, err := io.ReadFull(old, still); err != nil || string(still) != "still" {
		t.Errorf("the old connection gave %q, %v", still, err)
	}
}

func TestTCPProxyRefusesABadFile(t *testing.T) {
	err := RunTCPProxy(t.Context(), filepath.Join(t.TempDir(), "none"), io.Discard)
	if !errors.Is(err, ErrConfig) {
		t.Errorf("%v, want a mistake of the configuration", err)
	}
}
