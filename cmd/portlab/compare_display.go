package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// rounds is a [display] of a comparison.
type rounds interface {
	display
	// progress is told before each run in which stage it is.
	progress(stage string, p compare.Progress)
}

// newRounds is the one that fits where the standard error goes.
func (a *app) newRounds(quiet bool, color string) rounds {
	switch d := a.newDisplay(quiet, color).(type) {
	case *bars:
		return &roundBar{bars: d}
	case *lines:
		return &roundLines{lines: d}
	}
	return silentRounds{}
}

type silentRounds struct{ silence }

func (silentRounds) progress(string, compare.Progress) {}

// roundLines is a line for each stage that has ended.
type roundLines struct {
	*lines
	stage string // empty before the first
	begun time.Time
}

func (r *roundLines) progress(stage string, p compare.Progress) {
	if p.Note != "" {
		r.note(p.Note)
		return
	}
	if p.Arm == "" || stage == r.stage {
		return
	}
	if r.stage != "" {
		r.finish("done in", p.Left)
	}
	r.stage, r.begun = stage, r.now()
}

// finish says how long the stage took, and the rest may take.
func (r *roundLines) finish(how string, rest time.Duration) {
	line := fmt.Sprintf("%s: %s %s", r.stage, how, short(r.now().Sub(r.begun)))
	if rest > 0 {
		line += ", " + left(rest)
	}
	r.note(line)
}

func (r *roundLines) end(well bool) {
	how := "done in"
	if !well {
		how = "ended after"
	}
	if r.stage != "" {
		r.finish(how, 0)
	}
	r.lines.end(well)
}

// roundName is the stage of a comparison.
func roundName(p compare.Progress) string {
	if p.Round == 0 {
		return "warming up"
	}
	return fmt.Sprintf("round %d of %d", p.Round, p.Of)
}

// left is how long the rest may take, in words.
func left(d time.Duration) string {
	return "about " + max(d.Round(time.Second), time.Second).String() + " left"
}

// roundBar is one bar for all runs, with what runs now before it.
type roundBar struct {
	*bars
	bar *mpb.Bar

	words sync.Mutex
	stage string
	now   compare.Progress
}

func (r *roundBar) progress(stage string, p compare.Progress) {
	if p.Note != "" {
		r.note(p.Note)
		return
	}
	r.words.Lock()
	r.stage, r.now = stage, p
	r.words.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	if r.bar == nil && (!r.try(r.add) || r.bar == nil) {
		return
	}
	r.bar.SetTotal(int64(p.Total)+1, false) // a full bar would not be drawn any more
	r.bar.SetCurrent(int64(p.Done))
}

func (r *roundBar) add() {
	bar, err := r.bars.progress.Add(0, mpb.BarStyle().Build(), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return r.text() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return r.rest() })))
	if err == nil {
		r.bar = bar
	}
}

func (r *roundBar) text() string {
	r.words.Lock()
	defer r.words.Unlock()
	return fmt.Sprintf("%-16s %-24.24s ", r.stage, r.now.Arm)
}

func (r *roundBar) rest() string {
	r.words.Lock()
	defer r.words.Unlock()
	text := fmt.Sprintf(" %d of %d", r.now.Done, r.now.Total)
	if r.now.Left > 0 {
		text += ", " + left(r.now.Left)
	}
	return text
}

func (r *roundBar) end(well bool) {
	r.mu.Lock()
	if r.bar != nil && !r.ended {
		r.bar.SetTotal(-1, true)
	}
	r.mu.Unlock()
	r.bars.end(well)
}

// event is for a single run: a comparison's runs tell only what is noteworthy.
func (r *roundBar) event(lab.Event) {}

func (r *roundLines) event(lab.Event) {}
