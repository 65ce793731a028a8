package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
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
	Prober   Driver // of single requests, until the front answers; nil: Driver
	// Place is where the client stands; nil: at the fleet's place for Vantage. With
	// one, [FleetSpec.Client] is its address.
	Place Place
	// Patience is how long the front may take until it answers; 0: 20 s.
	Patience time.Duration
	Monitor  Monitor  // ends the load when it has shown enough; nil: it lasts as planned
	Recorder Recorder // of the samples; nil: in memory
	Journal  Journal
	// Recognise names what the balancer seems to do, whatever was claimed; nil: it
	// is not named.
	Recognise func(Evidence) Behaviour
	Command   []string    // that reproduces it
	Watch     func(Event) // may be nil
	// Changes are made to what stands, in order; those after the load began in
	// the order of their times.
	Changes []Change
	// Impairments are what the path between the external client and the host
	// does to packets: each from its time on, in place of the one before.
	Impairments []TimedImpairment
	// Hold is called with the result when all is judged and everything still
	// stands; what it returns it returns before anything is taken back. It may be nil.
	Hold func(ctx context.Context, f Fleet, res *Result, samples Samples) error

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
	if err := t.checkImpairments(); err != nil {
		return err
	}
	needs := t.Strategy.Needs()
	if why := needs.WhyNotFor(t.Plan.Protocol); why != "" {
		return &UnsupportedError{
			What: fmt.Sprintf("%s with protocol %s", t.Strategy.Name(), t.Plan.Protocol), Reason: why,
			Remedy: "choose " + strings.Join(possibleWith(needs), " or ") + " with --protocol",
		}
	}
	if why := needs.OneClient[t.Vantage]; why != "" && t.Plan.Clients > 1 {
		return &UnsupportedError{
			What: fmt.Sprintf("%s with %d client addresses at vantage %s", t.Strategy.Name(), t.Plan.Clients, t.Vantage), Reason: why,
			Remedy: "leave --clients out, or choose another vantage",
		}
	}
	if why := needs.WhyNotFrom(t.Vantage, t.family()); why != "" {
		return &UnsupportedError{
			What:   fmt.Sprintf("%s from vantage %s", t.Strategy.Name(), t.Vantage),
			Reason: why, Remedy: "choose " + strings.Join(possibleFrom(needs, t.family()), " or ") + " with --vantage",
		}
	}
	return t.checkLink()
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

func possibleFrom(n Needs, ip Family) []string {
	var yes []string
	for _, v := range Vantages() {
		if n.WhyNotFrom(v, ip) == "" {
			yes = append(yes, string(v))
		}
	}
	return yes
}

func possibleWith(n Needs) []string {
	var yes []string
	for _, p := range Protocols() {
		if n.WhyNotFor(p) == "" {
			yes = append(yes, string(p))
		}
	}
	return yes
}

// Check returns what [Trial.Valid], [Trial.CheckCourse] and [Trial.Able] do, and
// what the strategy says of what it cannot describe, such as weights that its
// proxy does not take. It touches nothing.
func (t *Trial) Check(ctx context.Context) error {
	if err := t.Valid(); err != nil {
		return err
	}
	if err := t.CheckCourse(); err != nil {
		return err
	}
	if err := t.Able(ctx); err != nil {
		return err
	}
	_, err := Explain(ctx, t)
	return err
}

// Able returns an [UnsupportedError] for a trial that its runtime cannot carry
// out here, whatever else is wrong with it. It touches nothing.
func (t *Trial) Able(ctx context.Context) error {
	// That there is no engine at all says more than what it would not support.
	host, err := t.Runtime.Host(ctx)
	if err != nil {
		return err
	}
	if err := t.Runtime.Supports(t.Spec()); err != nil {
		return err
	}
	if err := t.canLink(ctx, host); err != nil {
		return err
	}
	if err := t.canImpair(ctx, host); err != nil {
		return err
	}
	return probed(ctx, host, t.Strategy, t.family(), t.Fleet.SidecarImage)
}

// Supported returns an [UnsupportedError] for a strategy that a runtime cannot
// carry out here.
func Supported(ctx context.Context, r Runtime, s Strategy, ip Family) error {
	if err := r.Supports(s.Needs().Fleet(FleetSpec{Family: ip, Replicas: 1})); err != nil {
		return forStrategy(s, err)
	}
	host, err := r.Host(ctx)
	if err != nil {
		return err
	}
	return Probed(ctx, host, s, ip)
}

// forStrategy says of which strategy a runtime speaks.
func forStrategy(s Strategy, err error) error {
	if no, ok := errors.AsType[*UnsupportedError](err); ok {
		no.What = s.Name() + ": " + no.What
	}
	return err
}

// Probed holds a strategy's probes against a host and returns the first
// [UnsupportedError]; a probe that cannot tell does not stand in the way.
func Probed(ctx context.Context, h Host, s Strategy, ip Family) error {
	return probed(ctx, h, s, ip, "")
}

// probed is [Probed] where sidecars are run from an image, if one is given.
func probed(ctx context.Context, h Host, s Strategy, ip Family, image string) error {
	for _, p := range s.Needs().Probes {
		if p.OfProgram && image != "" {
			continue // it is the image's affair
		}
		err := p.Check(ctx, h, ip)
		if no, ok := errors.AsType[*UnsupportedError](err); ok {
			no.What = s.Name() + " needs " + p.Name
			return no
		}
	}
	return nil
}

// Spec is the fleet that the trial asks its runtime for: as its strategy needs
// it, with the vantage.
func (t *Trial) Spec() FleetSpec {
	s := t.Strategy.Needs().Fleet(t.Fleet)
	s.Vantage, s.Family = t.Vantage, t.family()
	s.Protocol, s.Clients = t.Plan.Protocol, t.Plan.Clients
	if s.Notice == nil {
		s.Notice = func(note string) { t.tell(Event{Note: note}) }
	}
	return s
}

func (t *Trial) family() Family {
	if t.Fleet.Family == IPv6 {
		return IPv6
	}
	return IPv4
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
