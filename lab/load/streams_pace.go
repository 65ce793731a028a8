package load

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// task is a request that a worker is to make.
type task struct {
	arrival
	begun time.Duration
}

// dispatcher gives the requests of a load to its workers as they become due.
type dispatcher struct {
	load  *streamsLoad
	pace  pace
	all   []*streamsWorker
	spare []*streamsWorker    // those that are known to be free, longest first
	free  chan *streamsWorker // those that have become so
}

func newDispatcher(l *streamsLoad) *dispatcher {
	d := &dispatcher{load: l, free: make(chan *streamsWorker, l.plan.Concurrency)}
	if l.plan.Open() {
		d.pace = newOpenPace(l.plan, 0, 1)
	} else {
		d.pace = newClosedPace(l.plan, &tally{clock: l.now}, 0, 1)
	}
	return d
}

// run returns when there are no more requests to begin, or ctx ends. In an open
// loop it locks itself to its thread, whose timers it makes exact.
func (d *dispatcher) run(ctx context.Context) {
	d.all = append(d.all, d.spare...)
	if d.load.plan.Open() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer fineTimers()()
	}
	for ctx.Err() == nil {
		now := d.load.now()
		a, ok := d.pace.take(now, len(d.spare))
		if ok {
			d.hand(a, now)
			continue
		}
		at, more := d.pace.next(now, len(d.spare))
		if !more {
			return
		}
		freed := d.wait(ctx, min(at, now+time.Hour))
		// Before others count as free: what was due meanwhile had none.
		d.pace.arrive(d.load.now(), len(d.spare))
		d.spare = append(d.spare, freed...)
		d.collect()
	}
}

// hand gives a request to the worker that has been free for longest, unless its
// time has passed already.
func (d *dispatcher) hand(a arrival, now time.Duration) {
	if now-a.due >= d.load.plan.Timeout {
		s := lab.Sample{Request: a.number, Due: a.due, Begun: now, Done: now, Fault: lab.ClientLimit}
		s.Detail = neverBegan(d.load.plan)
		d.load.report(s, a.counted)
		return
	}
	w := d.spare[0]
	d.spare = d.spare[1:]
	w.todo <- task{a, max(now, a.due)}
}

// wait returns at a time, with a worker that becomes free while none is, or when
// ctx ends.
func (d *dispatcher) wait(ctx context.Context, at time.Duration) (freed []*streamsWorker) {
	// Go's own timers may be late by a millisecond.
	const exact = 2 * time.Millisecond
	free, coarse := d.free, at-d.load.now()
	if len(d.spare) > 0 {
		free, coarse = nil, coarse-exact
	}
	if coarse > 0 {
		timer := time.NewTimer(coarse)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil
		case w := <-free:
			return []*streamsWorker{w}
		case <-timer.C:
		}
	}
	if left := at - d.load.now(); left > 0 {
		rest := unix.NsecToTimespec(left.Nanoseconds())
		_ = unix.Nanosleep(&rest, nil) // cut short by a signal, it is called again
	}
	return nil
}

// collect notes who has become free.
func (d *dispatcher) collect() {
	for {
		select {
		case w := <-d.free:
			d.spare = append(d.spare, w)
		default:
			return
		}
	}
}
