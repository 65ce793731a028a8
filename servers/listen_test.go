package servers_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/servers"
)

func TestReusePortSharesOnePort(t *testing.T) {
	c := config("foo")
	c.ReusePort = true
	first := start(t, c)
	c.Instance, c.Port = "bar", first.Addresses()[0].Port()
	second := start(t, c)
	if first.address() != second.address() {
		t.Fatalf("not one port: %s and %s", first.address(), second.address())
	}
	// Each connection has a source port of its own, so that its hash is a fair
	// coin: one of the two gets all 64 once in 2^63.
	answered := map[string]int{}
	for range 64 {
		resp, _ := dial(t, first.address()).get("/")
		answered[answerOf(t, resp).Instance]++
	}
	if answered["foo"] == 0 || answered["bar"] == 0 || answered["foo"]+answered["bar"] != 64 {
		t.Errorf("64 connections were answered by %v", answered)
	}
}

func TestPortInUseIsSaid(t *testing.T) {
	first := start(t, config("foo"))
	c := config("bar")
	c.Port = first.Addresses()[0].Port()
	err := servers.Run(context.Background(), c, io.Discard)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), first.address()) ||
		!strings.Contains(err.Error(), "SO_REUSEPORT") {
		t.Errorf("Run = %v, want the address, what the system said, and what to do", err)
	}
}

func TestAddressThatIsNotHereIsSaid(t *testing.T) {
	c := config("foo")
	c.Hosts = append(c.Hosts, netip.MustParseAddr("192.0.2.1")) // TEST-NET-1, RFC 5737
	s, err := servers.Listen(context.Background(), c, io.Discard)
	if !errors.Is(err, syscall.EADDRNOTAVAIL) || !strings.Contains(err.Error(), "ip address") {
		t.Errorf("Listen = %v, %v, want what the system said, and what to do", s, err)
	}
}

func TestListensOnAllHosts(t *testing.T) {
	requireIPv6(t)
	c := config("foo")
	c.Hosts = []netip.Addr{netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("::")}
	r := start(t, c)
	at := r.Addresses()
	if len(at) != 2 || at[0].Port() != at[1].Port() {
		t.Fatalf("listens on %v, want two addresses with one port", at)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		to := netip.AddrPortFrom(netip.MustParseAddr(host), at[0].Port()).String()
		resp, _ := dial(t, to).get("/")
		if got := answerOf(t, resp).Client.Addr().String(); got != host {
			t.Errorf("by %s the client has the address %s", to, got)
		}
	}
	if want := "listening on " + at[0].String() + ", " + at[1].String() + "\n"; !strings.Contains(r.log.String(), want) {
		t.Errorf("the log is %q, want %q in it", r.log, want)
	}
}

func requireIPv6(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp6", "[::1]:0")
	labtest.Require(t, "ipv6", err == nil, "no listening socket on ::1")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
