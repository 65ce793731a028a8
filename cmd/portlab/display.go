package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/portlab/portlab/lab"
)

// display shows people what a run is doing. Its methods may be called from
// several goroutines.
type display interface {
	// event is told each sign of life of the run.
	event(e lab.Event)
	// note shows a sentence.
	note(text string)
	// end closes the display; well says whether the last phase came to its end.
	// Nothing is shown after it.
	end(well bool)
}

// newDisplay is the display that fits where the standard error goes.
func (a *app) newDisplay(quiet bool, color string) display {
	switch {
	case quiet:
		return silence{}
	case isTerminal(a.stderr) && a.getenv("TERM") != "dumb":
		return newBars(a.stderr, a.colored(a.stderr, color))
	}
	return &lines{w: a.stderr, now: time.Now}
}

// silence is a display that shows nothing.
type silence struct{}

func (silence) event(lab.Event) {}
func (silence) note(string)     {}
func (silence) end(bool)        {}

// silent is how long a load may last with no line about it.
const silent = 5 * time.Second

// lines is a display of plain lines, for logs: one when a phase has ended, with
// how long it took, and one for each quarter of the load, or more where a
// quarter lasts long.
type lines struct {
	w   io.Writer
	now func() time.Time

	mu      sync.Mutex
	phase   lab.Phase
	begun   time.Time
	quarter int       // of the load, that a line was about
	spoke   time.Time // when the phase began, or the last line about the load
	ended   bool
}

func (l *lines) event(e lab.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	if e.Phase != l.phase {
		l.finish("done in")
		now := l.now()
		l.phase, l.begun, l.spoke, l.quarter = e.Phase, now, now, 0
	}
	if e.Note != "" {
		fmt.Fprintln(l.w, e.Note)
	}
	if e.Total > 0 || e.Planned > 0 {
		l.load(e)
	}
}

// load writes a line about the load if it is time for one.
func (l *lines) load(e lab.Event) {
	now, quarter := l.now(), int(4*e.Progress())
	if quarter == l.quarter && now.Sub(l.spoke) < silent {
		return
	}
	l.quarter, l.spoke = quarter, now
	fmt.Fprintf(l.w, "%s: %s\n", e.Phase, loadLine(e))
}

func (l *lines) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		fmt.Fprintln(l.w, text)
	}
}

func (l *lines) end(well bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	how := "done in"
	if !well {
		how = "ended after"
	}
	l.finish(how)
	l.ended = true
}

// finish says how long the phase took, if there is one.
func (l *lines) finish(how string) {
	if l.phase != "" {
		fmt.Fprintf(l.w, "%s: %s %s\n", l.phase, how, short(l.now().Sub(l.begun)))
	}
}

// loadLine is the load so far, such as "150 of 300, 1204/s, p50 830µs, 0 failed",
// or with time as the bound "150 in 2.5s of 10s, 60/s, p50 830µs, 0 failed".
func loadLine(e lab.Event) string {
	if e.Elapsed < 0 && e.Done == 0 {
		return "warming up for " + short(-e.Elapsed)
	}
	amount := fmt.Sprintf("%d of %d", e.Done, e.Total)
	switch {
	case e.Total == 0:
		amount = fmt.Sprintf("%d in %s of %s", e.Done, short(e.Elapsed), e.Planned)
	case e.Planned > 0:
		amount += fmt.Sprintf(" in %s of at most %s", short(e.Elapsed), e.Planned)
	}
	return fmt.Sprintf("%s, %.0f/s, p50 %s, %d failed", amount, e.RequestsPerSecond, short(e.P50), e.Failed)
}

// short is a duration to three digits at most.
func short(d time.Duration) string {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
