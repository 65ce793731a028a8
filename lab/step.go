package lab

import (
	"context"
)

// Step is one change of a host. Steps are values: they describe a change and
// keep no state, so the same step can be printed, applied and reverted, in
// this process or in another.
type Step interface {
	// ID says what the step changes, such as "chain nat/PORTLAB-k3f9a2-DNAT".
	// It is unique among the steps of an exposure; a step of the same ID in a
	// later list is the same thing with other content.
	ID() string
	// Apply makes the change. A failed Apply leaves nothing of it behind.
	Apply(ctx context.Context, h Host) error
	// Revert leaves the host as it was found. It is idempotent, and reverting
	// what was never applied is no error.
	Revert(ctx context.Context, h Host) error
	// Shell is the same change by hand: lines ready to be pasted.
	Shell() []string
	// Undo is the revert by hand.
	Undo() []string
}

// Replacer is a [Step] that can become another of the same ID with nothing
// lost in between.
type Replacer interface {
	Step
	Replace(ctx context.Context, h Host, next Step) error
}

// Note is what a journal keeps of a change that cannot carry the run's id in
// its name.
type Note struct {
	Kind   string `json:"kind"`   // "sysctl"
	Name   string `json:"name"`   // what is changed
	Before string `json:"before"` // what it was, to be restored
	After  string `json:"after"`  // what the run makes of it
}

// Noted is a [Step] whose change cannot be found by the run's id. The engine
// has its note written before it applies the step.
type Noted interface {
	Step
	Note(ctx context.Context, h Host) (Note, error)
}

// Journal keeps, where a crash of the run cannot reach it, what must be known
// to undo the run.
type Journal interface {
	// Write returns when the note is safe.
	Write(n Note) error
}
