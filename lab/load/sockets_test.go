package load

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// TestSocketsOnDemand has none made ahead, and more takers than makers.
func TestSocketsOnDemand(t *testing.T) {
	s, err := openSockets(t.Context(), Local{}, unix.AF_INET, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var takers sync.WaitGroup
	for range 8 {
		takers.Go(func() {
			for range 10 {
				fd, err := s.get(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil || domain != unix.AF_INET {
					t.Errorf("domain %d, error %v", domain, err)
				}
				if err := unix.Close(fd); err != nil {
					t.Error(err)
				}
			}
		})
	}
	takers.Wait()
}

func TestNoDescriptorIsLost(t *testing.T) {
	good := goServer(t, "foo")
	silent := rawServer(t, func(c *net.TCPConn) { untilGone(c) })
	drive(t, plan(10, 5), good) // the poller opens its own descriptors once
	before := descriptors(t)
	drive(t, plan(100, 5), good)
	p := plan(5, 5)
	p.Timeout = 20 * time.Millisecond
	drive(t, p, silent)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Simple{}.Drive(ctx, Local{}, plan(100, 5), []netip.AddrPort{silent}, func(lab.Sample) { t.Error("a sample") })
	if err == nil {
		t.Error("the load ended without an error, and nobody answered")
	}
	// The servers' ends are in this process too, and close a little later.
	after := before
	for range 1000 {
		if after = descriptors(t); after <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d descriptors are open, %d before", after, before)
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
