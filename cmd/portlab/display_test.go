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
	l := &lines{w: &out, now: func() time.Time { clock = clock.Add(1234567 * time.Microsecond); return clock }}
	for _, e := range aRun() {
		l.event(e)
	}
	l.end(true)
	l.note("after the end")
	l.event(lab.Event{Phase: lab.Opening})
	l.end(false)
	want := `the image is pulled
starting replicas: done in 1.23s
exposing: done in 1.23s
load: 60 of 200, 1204/s, p50 831µs, 1 failed
load: 120 of 200, 1204/s, p50 831µs, 2 failed
load: 200 of 200, 1204/s, p50 831µs, 4 failed
load: done in 1.23s
testing: done in 1.23s
cleaning up: done in 1.23s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
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
	for _, e := range aRun() {
		b.event(e)
	}
	b.note("interrupted")
	b.end(false)
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
