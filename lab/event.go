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
	Done, Total       int           // requests; Total is 0 where time bounds the load
	Failed            int           // of those done
	RequestsPerSecond float64       // so far
	P50               time.Duration // latency so far, to two digits
}

// pulse turns samples into events, at most one in each interval.
type pulse struct {
	watch    func(Event)
	total    int
	interval time.Duration

	mu      sync.Mutex
	latency *hdrhistogram.Histogram
	done    int
	failed  int
	begun   time.Time
	last    time.Time
}

func newPulse(watch func(Event), plan Plan) *pulse {
	return &pulse{
		watch: watch, total: plan.Requests, interval: 100 * time.Millisecond,
		latency: hdrhistogram.New(1, int64(time.Minute), 2),
		begun:   time.Now(),
	}
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
	if p.done != p.total && now.Sub(p.last) < p.interval {
		return
	}
	p.last = now
	p.watch(Event{
		Phase: Loading, Done: p.done, Total: p.total, Failed: p.failed,
		RequestsPerSecond: float64(p.done) / now.Sub(p.begun).Seconds(),
		P50:               time.Duration(p.latency.ValueAtQuantile(50)),
	})
}
