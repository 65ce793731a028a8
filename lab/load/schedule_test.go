package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// openPlan is an open loop of so many requests per second.
func openPlan(rate float64, requests int, arrivals lab.Arrivals) lab.Plan {
	p := plan(requests, 1)
	p.Rate, p.Arrivals = rate, arrivals
	return p
}

// allOf are the requests of one part of an open loop.
func allOf(p lab.Plan, part, parts int) (all []arrival) {
	for a := newArrivals(p, part, parts); !a.ended; a.advance() {
		all = append(all, a.current)
	}
	return all
}

func TestConstantArrivalsAreExact(t *testing.T) {
	for _, rate := range []float64{0.5, 3, 1000, 33_333.3} {
		for k, a := range allOf(openPlan(rate, 10_000, lab.Constant), 0, 1) {
			if want := time.Duration(math.Round(float64(k) / rate * 1e9)); (a.due-want).Abs() > 1 || a.number != k || !a.counted {
				t.Fatalf("rate %v: request %d is %+v, want due at %d", rate, k, a, want)
			}
		}
	}
}

// TestPoissonArrivals holds the gaps against the exponential distribution by
// the test of Kolmogorov and Smirnov. The seeds are fixed, so the outcome is
// too; of all seeds, one in a thousand would be beyond the bound.
func TestPoissonArrivals(t *testing.T) {
	const n, rate = 20_000, 1000.0
	const bound = 1.95 // of D·√n, at 0.001
	for seed := range uint64(5) {
		p := openPlan(rate, n, lab.Poisson)
		p.Seed = seed
		var gaps []float64
		before := time.Duration(0)
		for _, a := range allOf(p, 0, 1) {
			gaps = append(gaps, (a.due-before).Seconds()*rate)
			before = a.due
		}
		if mean := before.Seconds() * rate / n; math.Abs(mean-1) > 4/math.Sqrt(n) {
			t.Errorf("seed %d: the mean gap is %v of what it should be", seed, mean)
		}
		slices.Sort(gaps)
		furthest := 0.0
		for i, g := range gaps {
			f := 1 - math.Exp(-g)
			furthest = max(furthest, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
		}
		if furthest*math.Sqrt(n) > bound {
			t.Errorf("seed %d: D·√n = %v", seed, furthest*math.Sqrt(n))
		}
	}
}

func TestSeedDecidesPoissonArrivals(t *testing.T) {
	p := openPlan(1000, 100, lab.Poisson)
	one, again := allOf(p, 0, 1), allOf(p, 0, 1)
	p.Seed++
	if !slices.Equal(one, again) || slices.Equal(one, allOf(p, 0, 1)) {
		t.Error("the same seed gives other arrivals, or another seed the same")
	}
}

// TestRampOfTheRate: in a ramp of two seconds to 1000 a second, 250 are due in
// the first second and 750 in the next.
func TestRampOfTheRate(t *testing.T) {
	for _, arrivals := range []lab.Arrivals{lab.Constant, lab.Poisson} {
		p := openPlan(1000, 0, arrivals)
		p.Ramp, p.Duration = 2*time.Second, 4*time.Second
		var counts [4]int
		for _, a := range allOf(p, 0, 1) {
			counts[a.due/time.Second]++
		}
		for second, want := range []int{250, 750, 1000, 1000} {
			slack := 1.0
			if arrivals == lab.Poisson {
				slack = 4 * math.Sqrt(float64(want))
			}
			if math.Abs(float64(counts[second]-want)) > slack {
				t.Errorf("%s: %d requests in second %d, want %d", arrivals, counts[second], second, want)
			}
		}
	}
}

func TestWarmUpComesBeforeWhatCounts(t *testing.T) {
	p := openPlan(100, 50, lab.Constant)
	p.WarmUp = time.Second
	all := allOf(p, 0, 1)
	if len(all) != 150 || all[0].due != -time.Second {
		t.Fatalf("%d requests, the first is %+v", len(all), all[0])
	}
	for i, a := range all {
		if a.counted != (a.due >= 0) || a.counted && a.number != i-100 {
			t.Errorf("request %d is %+v", i, a)
		}
	}
}

func TestWhicheverEndsFirst(t *testing.T) {
	p := openPlan(100, 50, lab.Constant)
	for duration, want := range map[time.Duration]int{100 * time.Millisecond: 10, time.Second: 50} {
		p.Duration = duration
		if n := len(allOf(p, 0, 1)); n != want {
			t.Errorf("%d requests in %s, want %d", n, duration, want)
		}
	}
}

// TestPartsMakeTheWhole: several loops together offer what one would.
func TestPartsMakeTheWhole(t *testing.T) {
	p := openPlan(100, 50, lab.Poisson)
	p.WarmUp = time.Second
	var together []arrival
	for part := range 3 {
		together = append(together, allOf(p, part, 3)...)
	}
	slices.SortFunc(together, func(a, b arrival) int { return int(a.due - b.due) })
	if !slices.Equal(together, allOf(p, 0, 1)) {
		t.Errorf("three parts make %v", together)
	}
	for parts := 1; parts <= 5; parts++ {
		sum := 0
		for part := range parts {
			sum += share(13, part, parts)
		}
		if sum != 13 {
			t.Errorf("%d parts of 13 make %d", parts, sum)
		}
	}
}

// TestQueuedAndLate goes through a loop of one worker by hand: 0 begins in time,
// 1 is due when 0 is under way, and 2 is due when the worker is free, but the
// client sleeps.
func TestQueuedAndLate(t *testing.T) {
	const ms = time.Millisecond
	o := newOpenPace(openPlan(100, 3, lab.Constant), 0, 1) // due at 0, 10 and 20 ms
	takes := func(now time.Duration, room, want int) {
		t.Helper()
		a, ok := o.take(now, room)
		if ok != (want >= 0) || ok && a.number != want {
			t.Errorf("at %s with room for %d: request %d, %v; want %d", now, room, a.number, ok, want)
		}
	}
	takes(0, 1, 0)
	takes(0, 0, -1)
	if at, more := o.next(5*ms, 1); at != 10*ms || !more {
		t.Errorf("the next may begin at %s", at)
	}
	o.arrive(12*ms, 0)
	takes(12*ms, 1, 1) // the answer made room in the same moment: it was queued all the same
	o.arrive(25*ms, 1)
	takes(25*ms, 1, 2)
	if o.queued != 1 || o.backlog != 1 || o.late != 1 {
		t.Errorf("queued %d, backlog %d, late %d", o.queued, o.backlog, o.late)
	}
	if _, more := o.next(25*ms, 1); more {
		t.Error("there are more than three")
	}
}

// TestWaitsNoLongerThanTheTimeout: without room, a request is given up in time.
func TestWaitsNoLongerThanTheTimeout(t *testing.T) {
	p := openPlan(100, 3, lab.Constant)
	p.Timeout = 50 * time.Millisecond
	o := newOpenPace(p, 0, 1)
	o.arrive(30*time.Millisecond, 0)
	if _, ok := o.take(49*time.Millisecond, 0); ok {
		t.Error("a request begins without room")
	}
	if at, more := o.next(30*time.Millisecond, 0); at != 50*time.Millisecond || !more {
		t.Errorf("the next gives up at %s", at)
	}
	if a, ok := o.take(50*time.Millisecond, 0); !ok || a.number != 0 {
		t.Errorf("request %d, %v", a.number, ok)
	}
	if o.backlog != 3 || o.queued != 3 {
		t.Errorf("backlog %d, queued %d", o.backlog, o.queued)
	}
}

// TestRampOfTheWorkers: four workers in a ramp of 400 ms begin 100 ms apart.
func TestRampOfTheWorkers(t *testing.T) {
	p := plan(100, 4)
	p.Ramp, p.WarmUp = 400*time.Millisecond, time.Second
	now := time.Duration(0)
	c := newClosedPace(p, &tally{clock: func() time.Duration { return now }}, 0, 1)
	if a, ok := c.take(-time.Millisecond, 1); !ok || a.counted {
		t.Error("in the warm-up, the last worker does not begin")
	}
	for worker := range 4 {
		starts := time.Duration(worker) * 100 * time.Millisecond
		for ; now < starts; now += 10 * time.Millisecond {
			if _, ok := c.take(now, 4-worker); ok {
				t.Fatalf("worker %d begins at %s", worker, now)
			}
			if at, _ := c.next(now, 4-worker); at != starts {
				t.Errorf("worker %d is said to begin at %s", worker, at)
			}
		}
		if a, ok := c.take(now, 4-worker); !ok || a.due != starts || a.number != worker {
			t.Errorf("worker %d at %s: %+v, %v", worker, now, a, ok)
		}
	}
}
