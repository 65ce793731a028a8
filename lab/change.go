package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Change is something that is done to what stands in the course of a trial,
// such as a replica that is killed.
type Change struct {
	What string        // for people, a clause: "foo is killed"
	At   time.Duration // after the driver was told to begin; 0: before that
	Make func(ctx context.Context, s Standing) error
}

// Standing is what stands while load is offered.
type Standing struct {
	Strategy Strategy
	Fleet    Fleet
	Exposure *Exposure
}

// Kill ends a replica as a crash would; no rule changes. It returns an
// [UnsupportedError] where the fleet cannot.
func (s Standing) Kill(ctx context.Context, instance string) error {
	k, ok := s.Fleet.(Killer)
	if !ok {
		return &UnsupportedError{What: "killing a replica", Reason: "this runtime cannot", Remedy: "use --runtime netns"}
	}
	return k.Kill(ctx, instance)
}

// Leave takes a replica out of the exposure, and drains and ends it once that
// has come to pass ([Trailing]).
func (s Standing) Leave(ctx context.Context, instance string) error {
	f, err := s.scaler()
	if err != nil {
		return err
	}
	if err := s.follow(ctx, instance); err != nil {
		return err
	}
	select {
	case <-time.After(TrailOf(s.Strategy)):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return f.Remove(ctx, instance)
}

// Join starts one more replica and then takes it into the exposure.
func (s Standing) Join(ctx context.Context) error {
	f, err := s.scaler()
	if err != nil {
		return err
	}
	if _, err := f.Add(ctx, 1); err != nil {
		return err
	}
	return s.follow(ctx, "")
}

func (s Standing) scaler() (Scaler, error) {
	f, ok := s.Fleet.(Scaler)
	if !ok {
		return nil, &UnsupportedError{What: "changing the set of replicas", Reason: "this runtime cannot", Remedy: "use --runtime netns"}
	}
	return f, nil
}

// follow makes the exposure that of the replicas there are, but for one.
func (s Standing) follow(ctx context.Context, without string) error {
	b := s.Fleet.Blueprint()
	to := slices.DeleteFunc(slices.Clone(b.Replicas), func(r Replica) bool { return r.Instance == without })
	steps, err := s.Strategy.Steps(b.Facts, b.Front, to)
	if err != nil {
		return err
	}
	return s.Exposure.Update(ctx, steps)
}

// changesBefore makes the changes that come before the load, and notes them.
func (t *Trial) changesBefore(ctx context.Context, s Standing, env *Environment) error {
	for _, c := range t.course() {
		if c.At > 0 {
			continue
		}
		if err := c.Make(ctx, s); err != nil {
			return fmt.Errorf("before the load, %s: %w", c.What, err)
		}
		env.Notes = append(env.Notes, "Before the load, "+c.What+".")
	}
	return nil
}

// changesDuring makes the others, each at its time. What it returns waits for
// that, and gives a note of each.
func (t *Trial) changesDuring(ctx context.Context, s Standing) func() ([]string, error) {
	ended, began := make(chan struct{}), time.Now()
	var notes []string
	var errs []error
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		for _, c := range t.course() {
			if c.At <= 0 {
				continue
			}
			note, err := c.when(ctx, s, began, ended)
			if err != nil {
				errs = append(errs, err)
				return // what follows may need it
			}
			notes = append(notes, note)
		}
	}()
	return func() ([]string, error) {
		close(ended)
		<-finished
		return notes, errors.Join(errs...)
	}
}

// when waits for a change's time and makes it.
func (c Change) when(ctx context.Context, s Standing, began time.Time, ended <-chan struct{}) (string, error) {
	timer := time.NewTimer(time.Until(began.Add(c.At)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
		return "", fmt.Errorf("the load ended before it was time that %s: offer load for longer than %s", c.What, c.At)
	}
	at := time.Since(began)
	if err := c.Make(ctx, s); err != nil {
		return "", fmt.Errorf("%s into the load, %s: %w", at.Round(time.Millisecond), c.What, err)
	}
	return fmt.Sprintf("%s into the load, %s; that took %s.",
		at.Round(time.Millisecond), c.What, (time.Since(began) - at).Round(time.Millisecond)), nil
}
