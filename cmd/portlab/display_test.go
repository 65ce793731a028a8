package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"github.com/portlab/portlab/lab"
)

// aRun is what a run of 200 requests tells.
func aRun() []lab.Event {
	events := []lab.Event{
		{Phase: lab.Opening},
		{Phase: lab.Opening, Note: "the image is pulled"},
		{Phase: lab.Exposing},
	}
	for _, done := range []int{1, 60, 99, 120, 200} {
		events = append(events, lab.Event{
			Phase: lab.Loading, Done: done, Total: 200, Failed: done / 50,
			RequestsPerSecond: 1204.4, P50: 831 * time.Microsecond,
		})
	}
	return append(events, lab.Event{Phase: lab.Judging}, lab.Event{Phase: lab.Cleaning})
}

func TestLinesShowsAPhaseALineAndTheLoadByQuarters(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	l := &lines{w: &out, now: func() time.Time { return clock }}
	for _, e := range aRun() {
		l.event(e)
		clock = clock.Add(123456 * time.Microsecond)
	}
	l.end(true)
	l.note("after the end")
	l.event(lab.Event{Phase: lab.Opening})
	l.end(false)
	want := `the image is pulled
starting replicas: done in 247ms
exposing: done in 123ms
load: 60 of 200, 1204/s, p50 831µs, 1 failed
load: 120 of 200, 1204/s, p50 831µs, 2 failed
load: 200 of 200, 1204/s, p50 831µs, 4 failed
load: done in 617ms
testing: done in 123ms
cleaning up: done in 123ms
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLinesIsNotSilentThroughALongLoad(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	l := &lines{w: &out, now: func() time.Time { return clock }}
	for _, at := range []struct {
		second float64
		done   int
	}{{0, 1}, {4.9, 10}, {5, 11}, {9.9, 15}, {10.1, 20}, {12, 50}, {15.2, 60}, {17, 61}, {18, 200}} {
		clock = time.Unix(0, 0).Add(time.Duration(at.second * float64(time.Second)))
		l.event(lab.Event{Phase: lab.Loading, Done: at.done, Total: 200})
	}
	var said []string
	for line := range strings.Lines(out.String()) {
		done, _, _ := strings.Cut(strings.TrimPrefix(line, "load: "), " of ")
		said = append(said, done)
	}
	// At 5 s, 10.1 s, the first quarter at 12 s, 5 s after that, and the end.
	if diff := cmp.Diff([]string{"11", "20", "50", "61", "200"}, said); diff != "" {
		t.Error(diff)
	}
}

func TestLinesOfALoadBoundedByTime(t *testing.T) {
	var out bytes.Buffer
	l := &lines{w: &out, now: func() time.Time { return time.Unix(0, 0) }}
	for _, elapsed := range []time.Duration{-time.Second, 0, 900 * time.Millisecond, 1500 * time.Millisecond, 4 * time.Second} {
		e := lab.Event{Phase: lab.Loading, Elapsed: elapsed, Planned: 4 * time.Second, P50: time.Millisecond}
		e.Done = int(max(elapsed, 0) / time.Millisecond)
		l.event(e)
	}
	l.event(lab.Event{Phase: lab.Loading, Done: 90, Total: 120, Elapsed: time.Second, Planned: 10 * time.Second})
	want := `load: 1500 in 1.5s of 4s, 0/s, p50 1ms, 0 failed
load: 4000 in 4s of 4s, 0/s, p50 1ms, 0 failed
load: 90 of 120 in 1s of at most 10s, 0/s, p50 0s, 0 failed
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestBarsOfALoadBoundedByTime(t *testing.T) {
	s := &screen{}
	b := newBars(s, false, mpb.WithAutoRefresh(), mpb.WithWidth(120))
	b.patience = bound // a busy machine may draw late
	returns(t, func() {
		b.event(lab.Event{Phase: lab.Loading, Elapsed: -2 * time.Second, Planned: 4 * time.Second})
		for s.last("warming up for 2s") == "" {
			time.Sleep(time.Millisecond)
		}
		b.event(lab.Event{Phase: lab.Loading, Done: 9, Elapsed: 4 * time.Second, Planned: 4 * time.Second})
		b.end(true)
	})
	if line := s.last(string(lab.Loading)); !strings.Contains(line, "9 in 4s of 4s") || !strings.Contains(line, "✓") {
		t.Errorf("the load is drawn as %q", line)
	}
}

func TestLinesSaysThatAPhaseDidNotEndWell(t *testing.T) {
	var out bytes.Buffer
	l := &lines{w: &out, now: func() time.Time { return time.Unix(0, 0) }}
	l.event(lab.Event{Phase: lab.Opening})
	l.end(false)
	if got := out.String(); got != "starting replicas: ended after 0s\n" {
		t.Errorf("got %q", got)
	}
}

// screen keeps what was drawn, for a goroutine that draws and one that looks.
type screen struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

// last is the last line drawn that has this in it.
func (s *screen) last(part string) string {
	found := ""
	for line := range strings.Lines(s.String()) {
		if strings.Contains(line, part) {
			found = line
		}
	}
	return found
}

func TestBarsMarksWhatEndedWellAndWhatDidNot(t *testing.T) {
	s := &screen{}
	b := newBars(s, false, mpb.WithAutoRefresh(), mpb.WithWidth(120))
	b.patience = bound // a busy machine may draw late
	returns(t, func() {
		for _, e := range aRun() {
			b.event(e)
		}
		b.note("interrupted")
		b.end(false)
	})
	for _, phase := range []lab.Phase{lab.Opening, lab.Exposing, lab.Loading, lab.Judging} {
		if line := s.last(string(phase)); !strings.Contains(line, "✓") {
			t.Errorf("%s ended well, and is drawn as %q", phase, line)
		}
	}
	if line := s.last(string(lab.Cleaning)); !strings.Contains(line, "✗") {
		t.Errorf("the phase that did not end well is drawn as %q", line)
	}
	if line := s.last(string(lab.Loading)); !strings.Contains(line, "200 of 200") || !strings.Contains(line, "4 failed") {
		t.Errorf("the load is drawn as %q", line)
	}
	for _, note := range []string{"the image is pulled", "interrupted"} {
		if s.last(note) == "" {
			t.Errorf("the note %q is not shown", note)
		}
	}
	drawn := len(s.String())
	b.note("after the end")
	b.event(lab.Event{Phase: lab.Opening})
	b.end(true)
	if more := s.String()[drawn:]; more != "" {
		t.Errorf("after its end, the display drew %q", more)
	}
}

// bound is longer than any display takes on a busy machine.
const bound = 30 * time.Second

// returns fails the test if this does not return.
func returns(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(2 * bound):
		t.Fatal("the display hangs")
	}
}

// stuck is a terminal that takes nothing until it is closed.
type stuck chan struct{}

func (s stuck) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}

func TestBarsDoNotHoldUpARunOnATerminalThatTakesNothing(t *testing.T) {
	terminal := make(stuck)
	defer close(terminal)
	b := newBars(terminal, false, mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond))
	b.patience = 10 * time.Millisecond
	returns(t, func() {
		for _, e := range aRun() {
			b.event(e)
			b.note("a note")
		}
		b.end(true)
	})
}

func TestBarsEndThoughABarDoesNot(t *testing.T) {
	b := newBars(&screen{}, false, mpb.WithAutoRefresh(), mpb.WithRefreshRate(time.Millisecond))
	b.patience = 100 * time.Millisecond
	b.progress.AddBar(10)
	returns(t, func() {
		b.event(lab.Event{Phase: lab.Opening})
		b.end(true)
	})
	returns(t, b.progress.Wait) // nothing draws any more
}

func TestShortHasThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                         "0s",
		999:                       "999ns",
		1_234_567:                 "1.23ms",
		12_345_678_901:            "12.3s",
		831 * time.Microsecond:    "831µs",
		2 * time.Minute:           "2m0s",
		999_999 * time.Nanosecond: "1ms",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%d) = %s, want %s", d, got, want)
		}
	}
}
