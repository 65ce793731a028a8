package load

import (
	"context"
	"time"

	"github.com/portlab/portlab/lab"
)

// How long a worker rests after a fault of the client's own, at first and at
// most. Ports and descriptors come back by themselves, and asking for them
// without a pause would only keep the processor from the server.
const (
	minRest = 10 * time.Millisecond
	maxRest = time.Second
)

// rests is how long a worker rests after its next fault of the client's own; 0:
// there was none yet.
type rests time.Duration

// after rests after a request with such a fault, longer each time in a row,
// unless ctx ends.
func (r *rests) after(ctx context.Context, f lab.Fault) {
	if f != lab.ClientLimit {
		*r = 0
		return
	}
	rest := max(time.Duration(*r), minRest)
	select {
	case <-ctx.Done():
	case <-time.After(rest):
	}
	*r = rests(min(2*rest, maxRest))
}
