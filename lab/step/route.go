package step

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/portlab/portlab/lab"
)

// Route leads to a destination over several hops. It is for a host of the run's
// own: nothing in a route says whose it is.
type Route struct {
	To   netip.Prefix
	Hops []lab.Hop
}

// ID names the destination.
func (r Route) ID() string { return "route to " + r.To.String() }

// Apply makes the route.
func (r Route) Apply(_ context.Context, h lab.Host) error { return h.Routes().Set(r.To, r.Hops) }

// Replace swaps the hops in one change.
func (r Route) Replace(ctx context.Context, h lab.Host, next lab.Step) error {
	if next.ID() != r.ID() {
		return fmt.Errorf("%s cannot become %s", r.ID(), next.ID())
	}
	return next.Apply(ctx, h)
}

// Revert deletes the route.
func (r Route) Revert(_ context.Context, h lab.Host) error { return h.Routes().Delete(r.To) }

// Shell makes the route by ip-route(8).
func (r Route) Shell() []string {
	words := append(r.command(), "replace", network(r.To))
	for _, h := range r.Hops {
		words = append(words, "nexthop", "via", h.Via.String(), "dev", h.Link, "weight", strconv.Itoa(h.Weight))
	}
	return []string{lab.ShellLine(words...)}
}

// Undo deletes the route.
func (r Route) Undo() []string {
	return []string{lab.ShellLine(append(r.command(), "del", network(r.To))...)}
}

func (r Route) command() []string {
	if r.To.Addr().Is6() {
		return []string{"ip", "-6", "route"}
	}
	return []string{"ip", "route"}
}
