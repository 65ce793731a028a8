package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/portlab/portlab/lab"
)

// bars is a display for terminals: a row for each phase, with a bar for the
// load, drawn anew while they last.
type bars struct {
	terminal io.Writer
	progress *mpb.Progress
	abort    context.CancelFunc // ends all bars as they are
	color    bool
	patience time.Duration // that a run has with its terminal

	mu    sync.Mutex
	row   *row // of the phase that lasts; nil before the first
	ended bool
}

func newBars(w io.Writer, color bool, more ...mpb.ContainerOption) *bars {
	options := append([]mpb.ContainerOption{
		mpb.WithOutput(w), mpb.WithWidth(30), mpb.WithRefreshRate(100 * time.Millisecond),
	}, more...)
	ctx, abort := context.WithCancel(context.Background())
	return &bars{
		terminal: w, progress: mpb.NewWithContext(ctx, options...), abort: abort,
		color: color, patience: 3 * time.Second,
	}
}

func (b *bars) event(e lab.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	if b.row == nil || b.row.phase != e.Phase {
		b.finish(true)
		var next *row
		var err error
		if !b.try(func() { next, err = b.addRow(e) }) || err != nil {
			b.ended = true
			return
		}
		b.row = next
	}
	b.row.update(e)
	if e.Note != "" {
		b.write(e.Note)
	}
}

func (b *bars) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	// An echoed ^C has moved the cursor, and mpb clears from where it stands.
	if b.try(func() { _, _ = io.WriteString(b.terminal, "\r") }) {
		b.write(text)
	}
}

// write puts a line above the rows.
func (b *bars) write(text string) {
	b.try(func() { _, _ = fmt.Fprintln(b.progress, text) })
}

func (b *bars) end(well bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.finish(well)
	drawn := b.try(b.progress.Wait)
	if !drawn { // a bar that does not end must not keep the others
		b.abort()
		drawn = b.try(b.progress.Wait)
	}
	if drawn && well { // the result follows
		b.try(func() { _, _ = io.WriteString(b.terminal, "\n") })
	}
	b.ended = true
}

// try does what waits for the terminal, and gives the display up if that takes
// too long. A terminal that has gone, or takes nothing more (after ^S, or over a
// line that is cut), is no reason to stop a run or to hold it up.
func (b *bars) try(draw func()) bool {
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		draw()
	}()
	select {
	case <-drawn:
		return true
	case <-time.After(b.patience):
		b.ended = true
		return false
	}
}

// finish ends the row of the phase that lasts.
func (b *bars) finish(well bool) {
	if b.row == nil {
		return
	}
	b.row.finish(well)
	b.row.bar.SetTotal(-1, true)
}

// addRow begins a row. Its bar has no total at first: mpb would take one with a
// total as ended when it is full, and not draw what comes after.
func (b *bars) addRow(e lab.Event) (*row, error) {
	r := &row{phase: e.Phase, begun: time.Now(), color: b.color}
	var filler mpb.BarFiller
	options := []mpb.BarOption{
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return r.text() })),
	}
	if e.Phase == lab.Loading {
		filler = mpb.BarStyle().Build()
		options = append(options, mpb.BarFillerClearOnComplete(),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return r.load() })))
	}
	var err error
	r.bar, err = b.progress.Add(0, filler, options...)
	return r, err
}

// row is one phase. What it shows is read by the goroutine that draws.
type row struct {
	phase lab.Phase
	begun time.Time
	color bool
	bar   *mpb.Bar

	mu   sync.Mutex
	last lab.Event
	mark string // empty while the phase lasts
	took time.Duration
}

func (r *row) update(e lab.Event) {
	if e.Total == 0 && e.Planned == 0 {
		return
	}
	r.mu.Lock()
	r.last = e
	r.mu.Unlock()
	const whole = 1000
	r.bar.SetTotal(whole, false)
	r.bar.SetCurrent(int64(whole * e.Progress()))
}

func (r *row) finish(well bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took, r.mark = time.Since(r.begun), tinted(r.color, red, "✗")
	if well {
		r.mark = tinted(r.color, green, "✓")
	}
}

var spinner = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

// text is the mark, the phase and how long it takes.
func (r *row) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	mark, took := r.mark, r.took
	if mark == "" {
		took = time.Since(r.begun)
		mark = spinner[int(took/(100*time.Millisecond))%len(spinner)]
	}
	return fmt.Sprintf("%s %-31s %6s ", mark, r.phase, seconds(took))
}

func (r *row) load() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.Phase == "" {
		return ""
	}
	return " " + loadLine(r.last)
}

// seconds is a duration of fixed width while it runs: a value whose unit
// changes dances.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }

// The colours, as ECMA-48 SGR parameters.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func tinted(color bool, parameter, text string) string {
	if !color {
		return text
	}
	return "\x1b[" + parameter + "m" + text + "\x1b[0m"
}
