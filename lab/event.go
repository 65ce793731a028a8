package lab

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Phase is what a run is doing.
type Phase string

// The phases, in order.
const (
	Opening  Phase = "starting replicas"
	Exposing Phase = "exposing"
	Probing  Phase = "waiting until the front answers"
	Loading  Phase = "load"
	Judging  Phase = "testing"
	Cleaning Phase = "cleaning up"
)

// Event is a sign of life of a run, for a progress display.
type Event struct {
	Phase Phase
	Note  string // a sentence for people; empty in most events

	// Of the load; zero in other phases.
	Done, Total       int           // requests; Total is 0 where time alone bounds the load
	Elapsed           time.Duration // since the end of the warm-up; negative before it
	Planned           time.Duration // how long the load lasts at most; 0 where requests alone bound it
	Failed            int           // of those done
	RequestsPerSecond float64       // so far
	P50               time.Duration // latency so far, to two digits
}

// Progress is how much of the load is done, from 0 to 1.
func (e Event) Progress() float64 {
	var p float64
	if e.Total > 0 {
		p = float64(e.Done) / float64(e.Total)
	}
	if e.Planned > 0 {
		p = max(p, float64(e.Elapsed)/float64(e.Planned))
	}
	return min(max(p, 0), 1)
}

// pulse turns samples into events, at most one in each interval.
type pulse struct {
	watch    func(Event)
	plan     Plan
	interval time.Duration

	mu      sync.Mutex
	latency *hdrhistogram.Histogram
	done    int
	failed  int
	shown   int       // of those done, in the last event
	begun   time.Time // the end of the warm-up
	last    time.Time
}

func newPulse(watch func(Event), plan Plan) *pulse {
	return &pulse{
		watch: watch, plan: plan, interval: 100 * time.Millisecond,
		latency: hdrhistogram.New(1, int64(time.Minute), 2),
		begun:   time.Now().Add(plan.WarmUp),
	}
}

// begin says that the load begins, which may be long before the first sample.
func (p *pulse) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(time.Now())
}

func (p *pulse) beat(s Sample) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if s.OK() {
		// A latency beyond the histogram's minute is not shown live; the sample keeps it.
		_ = p.latency.RecordValue(int64(s.Latency()))
	} else {
		p.failed++
	}
	now := time.Now()
	if p.done == p.plan.Requests || now.Sub(p.last) >= p.interval {
		p.last = now
		p.show(now)
	}
}

// end shows the last samples, unless they were shown.
func (p *pulse) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown != p.done {
		p.show(time.Now())
	}
}

func (p *pulse) show(now time.Time) {
	p.shown = p.done
	e := Event{
		Phase: Loading, Done: p.done, Total: p.plan.Requests, Failed: p.failed,
		Elapsed: now.Sub(p.begun), Planned: p.plan.Duration,
		P50: time.Duration(p.latency.ValueAtQuantile(50)),
	}
	if e.Elapsed > 0 {
		e.RequestsPerSecond = float64(p.done) / e.Elapsed.Seconds()
	}
	p.watch(e)
}
