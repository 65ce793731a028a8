package load

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/portlab/portlab/lab"
)

// schedule gives the due times of an open loop, one after the other. The
// arrivals are those of a process of rate 1, stretched so that their rate
// grows linearly to the full one and then stays.
type schedule struct {
	rate   float64    // at its full height, per nanosecond
	ramp   float64    // how long the rate takes to grow, in nanoseconds
	random *rand.Rand // nil: evenly spaced
	passed float64    // time of the process of rate 1
	given  int
}

// Streams of random numbers, apart from those that pick the targets of
// connections, which are numbered from 0.
const (
	arrivalStream = 1<<63 + iota
	warmUpArrivalStream
)

func newSchedule(p lab.Plan, ramp time.Duration, stream uint64) schedule {
	s := schedule{rate: p.Rate / float64(time.Second), ramp: float64(ramp)}
	if p.Arrivals == lab.Poisson {
		s.random = rand.New(rand.NewPCG(p.Seed, stream))
	}
	return s
}

// next is when the next request is due. The first of evenly spaced ones is due
// at once, the first of random ones after a gap as random as any.
func (s *schedule) next() time.Duration {
	if s.random != nil {
		s.passed += s.random.ExpFloat64()
	} else {
		// Not a sum, which would carry the errors of rounding along.
		s.passed = float64(s.given)
	}
	s.given++
	const never = 1 << 62
	return time.Duration(math.Round(min(s.stretch(s.passed), never)))
}

// stretch is when as many requests as this have been due: the inverse of
// rate·t²/(2·ramp) in the ramp, and of rate·(t-ramp/2) after it.
func (s *schedule) stretch(count float64) float64 {
	if count < s.rate*s.ramp/2 {
		return math.Sqrt(2 * count * s.ramp / s.rate)
	}
	return s.ramp/2 + count/s.rate
}

// arrival is a request that is or will be due.
type arrival struct {
	due     time.Duration // from the end of the warm-up
	number  int           // among the counted ones, from 0
	counted bool
}

// arrivals go through the requests of an open loop in the order in which they
// are due: those of the warm-up first, at the full rate.
type arrivals struct {
	plan    lab.Plan
	warm    schedule
	main    schedule
	current arrival
	ended   bool // there is no current one
	stride  int  // of how many loops this one has one part
}

// newArrivals gives each of several loops its part: the requests that are due,
// in turn.
func newArrivals(p lab.Plan, part, parts int) arrivals {
	a := arrivals{
		plan: p, stride: parts,
		warm: newSchedule(p, 0, warmUpArrivalStream), main: newSchedule(p, p.Ramp, arrivalStream),
		current: arrival{number: -1},
	}
	for range part + 1 {
		a.step()
	}
	return a
}

// advance goes to the next one of this part.
func (a *arrivals) advance() {
	for range a.stride {
		a.step()
	}
}

func (a *arrivals) step() {
	if !a.current.counted && a.plan.WarmUp > 0 {
		a.current.due = a.warm.next() - a.plan.WarmUp
		if a.current.due < 0 {
			return
		}
	}
	a.current.counted = true
	a.current.number++
	a.current.due = a.main.next()
	a.ended = a.ended ||
		a.plan.Requests > 0 && a.current.number >= a.plan.Requests ||
		a.plan.Duration > 0 && a.current.due >= a.plan.Duration
}
