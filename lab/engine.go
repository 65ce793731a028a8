package lab

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// RevertTimeout bounds all that is done to leave a host as it was found.
const RevertTimeout = 60 * time.Second

// Exposure is a list of steps applied to a host. It is not safe for concurrent
// use: changes of one front follow each other.
type Exposure struct {
	host    Host
	journal Journal
	applied []Step
	broken  bool
}

// Expose applies steps in order, each journalled before it is applied. When
// one fails, those before it are reverted, so a failed exposure leaves nothing
// behind. The journal may be nil if no step needs one.
func Expose(ctx context.Context, h Host, j Journal, steps []Step) (*Exposure, error) {
	if err := distinct(steps); err != nil {
		return nil, err
	}
	x := &Exposure{host: h, journal: j}
	for _, s := range steps {
		if err := x.apply(ctx, s); err != nil {
			return nil, errors.Join(err, Unclean(x.Revert(ctx)))
		}
	}
	return x, nil
}

// Steps are those applied now, in the order in which they were applied.
func (x *Exposure) Steps() []Step { return slices.Clone(x.applied) }

// Update makes the exposure follow a changed set of replicas: these steps from
// now on. A step that is there already is left alone, one that can become its
// successor does, and the rest is first applied and then reverted, so that
// nothing is taken away before what follows it stands. When it fails, the
// exposure can only be reverted.
func (x *Exposure) Update(ctx context.Context, steps []Step) error {
	if x.broken {
		return errors.New("an exposure whose update failed can only be reverted")
	}
	if err := distinct(steps); err != nil {
		return err
	}
	before := make(map[string]Step, len(x.applied))
	for _, s := range x.applied {
		before[s.ID()] = s
	}
	after := make(map[string]bool, len(steps))
	for _, next := range steps {
		after[next.ID()] = true
		if err := x.become(ctx, before[next.ID()], next); err != nil {
			x.broken = true
			return err
		}
	}
	for _, old := range slices.Backward(x.applied) {
		if after[old.ID()] {
			continue
		}
		if err := old.Revert(ctx, x.host); err != nil {
			x.broken = true
			return fmt.Errorf("revert %s: %w", old.ID(), err)
		}
		x.forget(old)
	}
	x.applied = slices.Clone(steps)
	return nil
}

// become brings one step to its successor; old is nil where there is none yet.
func (x *Exposure) become(ctx context.Context, old, next Step) error {
	if old == nil {
		return x.apply(ctx, next)
	}
	if reflect.DeepEqual(old, next) {
		return nil
	}
	if r, ok := old.(Replacer); ok {
		if err := r.Replace(ctx, x.host, next); err != nil {
			return fmt.Errorf("replace %s: %w", next.ID(), err)
		}
		x.applied[slices.IndexFunc(x.applied, sameID(old))] = next
		return nil
	}
	if err := old.Revert(ctx, x.host); err != nil {
		return fmt.Errorf("revert %s: %w", old.ID(), err)
	}
	x.forget(old)
	return x.apply(ctx, next)
}

// Revert takes the steps back in reverse order, whatever has become of ctx,
// and joins what goes wrong. It is idempotent.
func (x *Exposure) Revert(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), RevertTimeout)
	defer cancel()
	var errs []error
	var left []Step
	for _, s := range slices.Backward(x.applied) {
		if err := s.Revert(ctx, x.host); err != nil {
			errs = append(errs, fmt.Errorf("revert %s: %w", s.ID(), err))
			left = append([]Step{s}, left...)
		}
	}
	x.applied, x.broken = left, true
	return errors.Join(errs...)
}

func (x *Exposure) apply(ctx context.Context, s Step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n, ok := s.(Noted); ok {
		note, err := n.Note(ctx, x.host)
		if err != nil {
			return fmt.Errorf("note what %s was: %w", s.ID(), err)
		}
		if x.journal == nil {
			return fmt.Errorf("apply %s: it needs a journal, and there is none", s.ID())
		}
		if err := x.journal.Write(note); err != nil {
			return fmt.Errorf("journal %s: %w", s.ID(), err)
		}
	}
	if err := s.Apply(ctx, x.host); err != nil {
		return fmt.Errorf("apply %s: %w", s.ID(), err)
	}
	x.applied = append(x.applied, s)
	return nil
}

func (x *Exposure) forget(s Step) { x.applied = slices.DeleteFunc(x.applied, sameID(s)) }

func sameID(a Step) func(Step) bool { return func(b Step) bool { return a.ID() == b.ID() } }

func distinct(steps []Step) error {
	seen := make(map[string]bool, len(steps))
	for _, s := range steps {
		if seen[s.ID()] {
			return fmt.Errorf("two steps change one thing: %s", s.ID())
		}
		seen[s.ID()] = true
	}
	return nil
}
