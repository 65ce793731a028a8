package kernel

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AwaitLinks returns when all of these ends of links send and receive. The
// kernel finishes what makes them do so a moment after it was told to, and
// drops what passes until then: TCP sends that again, UDP does not.
func AwaitLinks(ctx context.Context, ends ...End) error {
	for _, e := range ends {
		err := e.In.Do(ctx, func() error {
			if err := awaitSending(ctx, e.Name); err != nil {
				return err
			}
			return awaitAddresses(ctx, e)
		})
		if err != nil {
			return fmt.Errorf("wait for the link %s: %w", e.Name, err)
		}
	}
	return nil
}

// AwaitAddresses is [AwaitLinks] for a link on a parent, which sends and
// receives from the start.
func AwaitAddresses(ctx context.Context, e End) error {
	if err := e.In.Do(ctx, func() error { return awaitAddresses(ctx, e) }); err != nil {
		return fmt.Errorf("wait for the addresses of %s: %w", e.Name, err)
	}
	return nil
}

func awaitAddresses(ctx context.Context, e End) error {
	for _, a := range e.addresses() {
		if err := awaitLocal(ctx, a.Addr()); err != nil {
			return err
		}
	}
	return nil
}

// awaitSending returns when a link of the thread's namespace has its queue: one
// that was brought up before its other end gets it when it is told of that end.
func awaitSending(ctx context.Context, name string) error {
	var link netlink.Link
	err := poll(ctx, func() (up bool, err error) {
		if link, err = netlink.LinkByName(name); err != nil {
			return false, err
		}
		return link.Attrs().OperState == netlink.OperUp, nil // RFC 2863
	})
	if err != nil {
		return err
	}
	// The state is shown before the queue is there, both under one lock, which
	// this needs too.
	return netlink.LinkSetUp(link)
}

// awaitLocal returns when the thread's namespace takes what comes to an address
// of its own. That of IPv6 is on the link before there is a route to it.
func awaitLocal(ctx context.Context, a netip.Addr) error {
	if !a.Is6() || a.IsLinkLocalUnicast() {
		return nil
	}
	return poll(ctx, func() (bool, error) {
		routes, err := netlink.RouteGet(a.AsSlice())
		return err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL, nil
	})
}

// poll asks until the answer is yes, an error, or ctx's end.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		yes, err := ask()
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
