package lab

import (
	"context"
	"net/netip"
	"time"
)

// Plan is how load is offered: a closed loop of Concurrency workers, each of
// which opens a new connection for each request.
type Plan struct {
	Requests    int           `json:"requests"`    // in all
	Concurrency int           `json:"concurrency"` // workers, each with one request under way
	Timeout     time.Duration `json:"timeout_ns"`  // for one request, from its due time to the last byte
	Seed        uint64        `json:"seed"`        // of the choice among several targets
	Path        string        `json:"path"`        // of the request, such as /?delay=5ms
}

// MaxRequests bounds a plan: every load has an end.
const MaxRequests = 10_000_000

// Validate returns a [UsageError] for a plan that cannot be carried out.
func (p Plan) Validate() error {
	switch {
	case p.Requests < 1 || p.Requests > MaxRequests:
		return Usagef("the number of requests must be from 1 to %d, not %d", MaxRequests, p.Requests)
	case p.Concurrency < 1 || p.Concurrency > 10_000:
		return Usagef("the concurrency must be from 1 to 10000, not %d", p.Concurrency)
	case p.Timeout <= 0:
		return Usagef("the timeout must be longer than nothing, not %s", p.Timeout)
	case p.Path == "" || p.Path[0] != '/':
		return Usagef("the path of the request must begin with /, not %q", p.Path)
	}
	return nil
}

// Driver offers load and emits samples.
type Driver interface {
	// Drive carries out the plan from a place against targets, and calls emit
	// for each request when it has ended, well or not. Calls of emit do not
	// overlap. It returns an error only if the load could not be offered, or
	// ctx's; a failed request is a sample with a fault.
	Drive(ctx context.Context, at Place, p Plan, targets []netip.AddrPort, emit func(Sample)) error
}
