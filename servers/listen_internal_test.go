package servers

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// option reads an integer option of a listening socket.
func option(t *testing.T, l net.Listener, name int) int {
	t.Helper()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var got int
	var failed error
	if err := raw.Control(func(fd uintptr) { got, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, name) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return got
}

func TestSocketOptions(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		open, err := listen(context.Background(), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, reuse, false)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = open.close() }()
		if got := option(t, open.streams[0], unix.SO_PROTOCOL); got != unix.IPPROTO_TCP {
			t.Errorf("the protocol is %d, want TCP (%d); MPTCP is %d", got, unix.IPPROTO_TCP, unix.IPPROTO_MPTCP)
		}
		if got := option(t, open.streams[0], unix.SO_REUSEPORT) == 1; got != reuse {
			t.Errorf("SO_REUSEPORT is %v, want %v", got, reuse)
		}
	}
}

func TestFailedListenLeavesNothingOpen(t *testing.T) {
	free, err := listen(context.Background(), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, false, false)
	if err != nil {
		t.Fatal(err)
	}
	at := free.addresses()
	if err := free.close(); err != nil {
		t.Fatal(err)
	}
	both := append(slices.Clone(at), netip.MustParseAddrPort("192.0.2.1:0")) // TEST-NET-1, RFC 5737
	if _, err := listen(context.Background(), both, false, false); err == nil {
		t.Fatal("it listens on an address that is not here")
	}
	again, err := listen(context.Background(), at, false, false)
	if err != nil {
		t.Fatalf("the first address is still taken: %v", err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
}
