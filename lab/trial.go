package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Trial is one strategy, runtime, vantage, plan and its claims: what
// `portlab run` executes.
type Trial struct {
	Strategy Strategy
	Runtime  Runtime
	Vantage  Vantage
	Fleet    FleetSpec // placement, reuse-port and publish are filled in from the strategy's needs
	Plan     Plan
	Claims   []Claim // fixed before the run
	Asked    int     // the first so many claims were asked for: refuted, they fail the run
	Driver   Driver
	Journal  Journal
	Command  []string    // that reproduces it
	Watch    func(Event) // may be nil

	phase Phase // that was told last
}

// Valid returns a [UsageError] for a trial that makes no sense and an
// [UnsupportedError] for a vantage that its strategy rules out: all that can be
// told without asking the host.
func (t *Trial) Valid() error {
	if t.Fleet.Replicas < 1 {
		return Usagef("there must be at least one replica, not %d", t.Fleet.Replicas)
	}
	if err := t.checkWeights(); err != nil {
		return err
	}
	if err := t.Plan.Validate(); err != nil {
		return err
	}
	needs := t.Strategy.Needs()
	if why, no := needs.NotFrom[t.Vantage]; no {
		return &UnsupportedError{
			What:   fmt.Sprintf("%s from vantage %s", t.Strategy.Name(), t.Vantage),
			Reason: why, Remedy: "choose " + strings.Join(possibleFrom(needs), " or ") + " with --vantage",
		}
	}
	return nil
}

func (t *Trial) checkWeights() error {
	w := t.Fleet.Weights
	if len(w) == 0 {
		return nil
	}
	if _, ok := t.Strategy.(Weighted); !ok {
		return Usagef("%s cannot spread by weights: leave --weights out", t.Strategy.Name())
	}
	if len(w) != t.Fleet.Replicas {
		return Usagef("%d weights for %d replicas: give one for each", len(w), t.Fleet.Replicas)
	}
	for _, x := range w {
		if !ValidWeight(x) {
			return Usagef("a weight must be a positive number, not %v", x)
		}
	}
	return nil
}

func possibleFrom(n Needs) []string {
	var yes []string
	for _, v := range Vantages() {
		if _, no := n.NotFrom[v]; !no {
			yes = append(yes, string(v))
		}
	}
	return yes
}

// Check returns what [Trial.Valid] does, and an [UnsupportedError] for a trial
// that cannot run here. It touches nothing.
func (t *Trial) Check(ctx context.Context) error {
	if err := t.Valid(); err != nil {
		return err
	}
	host, err := t.Runtime.Host(ctx)
	if err != nil {
		return err
	}
	return Supported(ctx, host, t.Strategy)
}

// Supported holds a strategy's probes against a host and returns the first
// [UnsupportedError]; a probe that cannot tell does not stand in the way.
func Supported(ctx context.Context, h Host, s Strategy) error {
	for _, p := range s.Needs().Probes {
		err := p.Check(ctx, h)
		if no, ok := errors.AsType[*UnsupportedError](err); ok {
			no.What = s.Name() + " needs " + p.Name
			return no
		}
	}
	return nil
}

// spec is the fleet as this strategy needs it.
func (t *Trial) spec() FleetSpec {
	n, s := t.Strategy.Needs(), t.Fleet
	s.Placement, s.ReusePort, s.Publish, s.Vantage = n.Placement, n.ReusePort, n.Publish, t.Vantage
	if s.Family == 0 {
		s.Family = IPv4
	}
	if s.Notice == nil {
		s.Notice = func(note string) { t.tell(Event{Note: note}) }
	}
	return s
}

func (t *Trial) tell(e Event) {
	if e.Phase == "" {
		e.Phase = t.phase // a notice belongs to what is being done
	} else if e.Phase != t.phase {
		t.phase = e.Phase
	}
	if t.Watch != nil {
		t.Watch(e)
	}
}
