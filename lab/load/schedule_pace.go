package load

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
)

// pace says when the requests of one loop begin. Room is how many more may be
// under way.
type pace interface {
	// arrive notes what has become due.
	arrive(now time.Duration, room int)
	// take gives a request that is to begin now; false if there is none. Without
	// room it gives those alone whose timeout has passed while they waited.
	take(now time.Duration, room int) (arrival, bool)
	// next is when take may give one, if no answer comes before; more is false
	// once it never will again.
	next(now time.Duration, room int) (at time.Duration, more bool)
}

// addPace adds what a pace says of the client: of several loops, the sum of
// their greatest backlogs.
func addPace(c *lab.Client, p pace) {
	if open, ok := p.(*openPace); ok {
		c.Late += open.late
		c.Queued += open.queued
		c.Backlog += open.backlog
	}
}

// neverBegan says why a request did not begin before its timeout.
func neverBegan(p lab.Plan) string {
	return fmt.Sprintf("it never began: %d requests were under way for %s; raise --concurrency or lower --rate", p.Concurrency, p.Timeout)
}

// never is later than any load lasts.
const never = time.Duration(math.MaxInt64)

// tally numbers the requests of a closed loop. A request gets its number and
// its due time under one lock, so that both have the same order in all loops.
type tally struct {
	mu    sync.Mutex
	given int
	clock func() time.Duration
}

// take gives the next number; false if a limit other than 0 is reached.
func (t *tally) take(limit int) (arrival, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if limit > 0 && t.given >= limit {
		return arrival{}, false
	}
	t.given++
	return arrival{due: t.clock(), number: t.given - 1, counted: true}, true
}

// closedPace is that of a part of the workers of a closed loop: a request is
// due when one of them is free.
type closedPace struct {
	plan        lab.Plan
	tally       *tally
	part, parts int // of the workers, in turn
	workers     int
	ended       bool
}

func newClosedPace(p lab.Plan, t *tally, part, parts int) *closedPace {
	return &closedPace{plan: p, tally: t, part: part, parts: parts, workers: share(p.Concurrency, part, parts)}
}

// share is how many of a number of things fall to one part, dealt in turn.
func share(all, part, parts int) int { return (all - part + parts - 1) / parts }

func (c *closedPace) arrive(time.Duration, int) {}

func (c *closedPace) take(now time.Duration, room int) (arrival, bool) {
	if room <= 0 || c.ended {
		return arrival{}, false
	}
	if now < 0 {
		return arrival{due: now}, true
	}
	c.ended = c.plan.Duration > 0 && now >= c.plan.Duration
	if c.ended || now < c.starts(room) {
		return arrival{}, false
	}
	a, ok := c.tally.take(c.plan.Requests)
	c.ended = !ok
	return a, ok
}

func (c *closedPace) next(now time.Duration, room int) (time.Duration, bool) {
	if c.ended || c.plan.Duration > 0 && now >= c.plan.Duration {
		return never, false
	}
	if room <= 0 {
		return never, true
	}
	return max(now, c.starts(room)), true
}

// starts is when the next worker of the ramp may begin, if so many are idle.
func (c *closedPace) starts(room int) time.Duration {
	worker := (c.workers-room)*c.parts + c.part
	return time.Duration(float64(c.plan.Ramp) * float64(worker) / float64(c.plan.Concurrency))
}

// openPace is that of a part of the requests of an open loop. It goes through
// the schedule twice, so that those that wait need no memory: once as they
// become due, and once as they begin.
type openPace struct {
	timeout        time.Duration
	arrived, begun arrivals
	direct         int // of those that wait, the first so many had room when they were due
	behind         int // and the others had none

	late, queued, backlog int // as lab.Client has them
}

func newOpenPace(p lab.Plan, part, parts int) *openPace {
	return &openPace{timeout: p.Timeout, arrived: newArrivals(p, part, parts), begun: newArrivals(p, part, parts)}
}

func (o *openPace) arrive(now time.Duration, room int) {
	for ; !o.arrived.ended && o.arrived.current.due <= now; o.arrived.advance() {
		if o.behind == 0 && room > o.direct {
			o.direct++
			continue
		}
		o.behind++
		if o.arrived.current.counted {
			o.queued++
			o.backlog = max(o.backlog, o.behind)
		}
	}
}

func (o *openPace) take(now time.Duration, room int) (arrival, bool) {
	o.arrive(now, room)
	a := o.begun.current
	lapsed := now-a.due >= o.timeout
	if o.direct+o.behind == 0 || room <= 0 && !lapsed {
		return arrival{}, false
	}
	o.begun.advance()
	if o.direct == 0 {
		o.behind--
		return a, true
	}
	o.direct--
	if a.counted && now-a.due > lab.LateAfter {
		o.late++
	}
	return a, true
}

func (o *openPace) next(_ time.Duration, room int) (time.Duration, bool) {
	at := o.begun.current.due
	if room <= 0 {
		at += o.timeout
	}
	return at, !o.begun.ended
}
