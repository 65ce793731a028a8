package load

import (
	"context"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// Local is the place of a client in the process's own network namespace. It
// implements lab.SourcePlace.
type Local struct{}

// Do runs f on the calling goroutine. It returns f's error, or ctx's if ctx
// has ended before.
func (Local) Do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

// Shell is empty: a command runs here as it is.
func (Local) Shell() string { return "" }

// Sources are the addresses of the loopback link: all of 127.0.0.0/8 may be
// bound, as many as a plan may ask for are listed, and ::1. They reach targets
// on the loopback link alone.
func (Local) Sources() []netip.Addr {
	all := []netip.Addr{netip.IPv6Loopback()}
	for a := netip.AddrFrom4([4]byte{127, 0, 0, 1}); len(all) <= lab.MaxClients; a = a.Next() {
		all = append(all, a)
	}
	return all
}
