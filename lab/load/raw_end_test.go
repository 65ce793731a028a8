package load

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

func TestPlaceThatRawCannotEnter(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	for _, threads := range []int{1, 3} {
		_, err := Raw{Threads: threads}.Drive(t.Context(), closedPlace{}, plan(9, 3), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) { t.Error("a sample") })
		if !errors.Is(err, errClosedPlace) {
			t.Errorf("error %v", err)
		}
	}
	// Where only some of the loops get there, none of them offers load.
	_, err := Raw{Threads: 3}.Drive(t.Context(), &narrowPlace{}, plan(9, 3), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) { t.Error("a sample") })
	if !errors.Is(err, errClosedPlace) {
		t.Errorf("error %v", err)
	}
}

// narrowPlace lets two in.
type narrowPlace struct {
	Local
	entered atomic.Int32
}

func (n *narrowPlace) Do(ctx context.Context, f func() error) error {
	if n.entered.Add(1) > 2 {
		return errClosedPlace
	}
	return n.Local.Do(ctx, f)
}

// TestCancelCutsRawOff: what was answered is emitted, what is under way is not,
// and no descriptor is left.
func TestCancelCutsRawOff(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	const served = 5
	for _, threads := range []int{1, 2} {
		var count atomic.Int32
		full := make(chan struct{})
		to := rawServer(t, func(c *net.TCPConn) {
			switch n := count.Add(1); {
			case n <= served:
				saysAndHolds(empty200)(c)
				return
			case n == served+4:
				close(full) // all workers hang now
			}
			untilGone(c)
		})
		before := descriptors(t)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-full; cancel() }()
		p := plan(1000, 4)
		p.Timeout = time.Hour // only the cancellation can end it
		var samples []lab.Sample
		_, err := Raw{Threads: threads}.Drive(ctx, Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) { samples = append(samples, s) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want context.Canceled", err)
		}
		if len(samples) != served {
			t.Errorf("%d samples, want the %d of the requests that were answered", len(samples), served)
		}
		allFaults(t, samples, "")
		awaitDescriptors(t, before)
	}
}

// awaitDescriptors waits for the servers' ends, which close a little later.
func awaitDescriptors(t *testing.T, most int) {
	t.Helper()
	after := 0
	for range 1000 {
		if after = descriptors(t); after <= most {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d descriptors are open, %d before", after, most)
}

func TestRawLosesNoDescriptor(t *testing.T) {
	good, silent := goServer(t, "foo"), rawServer(t, saysAndHolds(""))
	raw(t, plan(10, 5), good) // the poller of the server opens its own once
	before := descriptors(t)
	for _, perConnection := range []int{0, 1} {
		p := plan(50, 5)
		p.PerConnection = perConnection
		raw(t, p, good)
		p.Requests, p.Timeout = 5, 20*time.Millisecond
		raw(t, p, silent)
	}
	awaitDescriptors(t, before)
}

func TestRawCancelledBeforeItBegins(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Raw{}.Drive(ctx, Local{}, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) { t.Error("a sample") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
