package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sort"
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
	Journal  Journal
	Command  []string    // that reproduces it
	Watch    func(Event) // may be nil
}

// readyStreak is how many answers in a row the front must give before anything
// is counted: a fresh network sometimes drops traffic in its first second.
const readyStreak = 5

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

func possibleFrom(n Needs) []string {
	var yes []string
	for _, v := range Vantages() {
		if _, no := n.NotFrom[v]; !no {
			yes = append(yes, string(v))
		}
	}
	return yes
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

// spec is the fleet as this strategy needs it.
func (t *Trial) spec() FleetSpec {
	n, s := t.Strategy.Needs(), t.Fleet
	s.Placement, s.ReusePort, s.Publish, s.Vantage = n.Placement, n.ReusePort, n.Publish, t.Vantage
	if s.Family == 0 {
		s.Family = IPv4
	}
	if s.Notice == nil {
		s.Notice = func(note string) { t.tell(Event{Phase: Opening, Note: note}) }
	}
	return s
}

// Explanation is what a trial would do, in words and in commands.
type Explanation struct {
	Blueprint
	Steps []Step
}

// Explain says what [Run] would do, by the very steps that it would apply, and
// changes nothing.
func Explain(ctx context.Context, t *Trial) (*Explanation, error) {
	b, err := t.Runtime.Draft(ctx, t.spec())
	if err != nil {
		return nil, err
	}
	steps, err := t.Strategy.Steps(b.Facts, b.Front, b.Replicas)
	if err != nil {
		return nil, err
	}
	return &Explanation{Blueprint: b, Steps: steps}, nil
}

// Commands are the explanation's commands by hand, replicas first.
func (e *Explanation) Commands() []string {
	all := slices.Clone(e.Shell)
	for _, s := range e.Steps {
		all = append(all, s.Shell()...)
	}
	return all
}

// Back are the commands that undo [Explanation.Commands], last change first.
func (e *Explanation) Back() []string {
	var all []string
	for _, s := range slices.Backward(e.Steps) {
		all = append(all, s.Undo()...)
	}
	return append(all, e.Undo...)
}

// Run takes a trial from nothing to a result and back to nothing. Whatever
// happens, the steps are reverted and the fleet is closed. The samples are in
// the order in which they were due.
func Run(ctx context.Context, t *Trial) (res *Result, samples []Sample, err error) {
	begun := time.Now()
	if err := t.Check(ctx); err != nil {
		return nil, nil, err
	}
	res = t.newResult(begun)
	defer func() { res.Timings.Total = time.Since(begun) }()

	t.tell(Event{Phase: Opening})
	fleet, err := t.Runtime.Open(ctx, t.spec())
	lap(&res.Timings.Open, begun)
	if err != nil {
		return t.refusal(res, err)
	}
	defer func() {
		at := time.Now()
		if e := Unclean(fleet.Close(ctx)); e != nil {
			err = errors.Join(err, e)
		}
		lap(&res.Timings.Close, at)
	}()
	b := fleet.Blueprint()
	res.Front, res.Fleet, res.Family = b.Front, b.Replicas, b.Facts.Family

	steps, err := t.Strategy.Steps(b.Facts, b.Front, b.Replicas)
	if err != nil {
		return res, nil, err
	}
	e := Explanation{Blueprint: b, Steps: steps}
	res.Shell, res.Undo = e.Commands(), e.Back()

	at := time.Now()
	t.tell(Event{Phase: Exposing})
	exposure, err := Expose(ctx, fleet.Host(), t.Journal, steps)
	lap(&res.Timings.Expose, at)
	if err != nil {
		return t.refusal(res, err)
	}
	defer func() {
		at := time.Now()
		t.tell(Event{Phase: Cleaning})
		if e := Unclean(exposure.Revert(ctx)); e != nil {
			err = errors.Join(err, e)
		}
		lap(&res.Timings.Revert, at)
	}()

	samples, accepted, err := t.measure(ctx, fleet, res)
	if err != nil {
		return res, samples, err
	}
	at = time.Now()
	t.tell(Event{Phase: Judging})
	m := res.Fold(samples, accepted)
	res.Verdicts = t.judge(res, m, samples)
	lap(&res.Timings.Judge, at)
	return res, samples, nil
}

// measure waits until the front answers and offers the load.
func (t *Trial) measure(ctx context.Context, fleet Fleet, res *Result) ([]Sample, map[string]uint64, error) {
	place, err := fleet.Place(ctx, t.Vantage)
	if err != nil {
		return nil, nil, err
	}
	b := fleet.Blueprint()
	targets := Targets(t.Strategy, b.Front, t.Vantage, b.Replicas)
	if len(targets) == 0 {
		return nil, nil, fmt.Errorf("%s gives a client at %s nothing to dial", t.Strategy.Name(), t.Vantage)
	}
	at := time.Now()
	t.tell(Event{Phase: Probing})
	if err := t.awaitFront(ctx, place, targets); err != nil {
		return nil, nil, errors.Join(err, logsOf(ctx, fleet))
	}
	lap(&res.Timings.Probe, at)
	res.Environment = fleet.Environment(ctx)

	count := t.counter(fleet)
	before, err := count(ctx)
	if err != nil {
		return nil, nil, err
	}
	at = time.Now()
	p := newPulse(t.tell, t.Plan.Requests)
	samples := make([]Sample, 0, t.Plan.Requests)
	err = t.Driver.Drive(ctx, place, t.Plan, targets, func(s Sample) {
		samples = append(samples, s)
		p.beat(s)
	})
	lap(&res.Timings.Load, at)
	sort.Slice(samples, func(i, j int) bool { return samples[i].Request < samples[j].Request })
	if err != nil {
		return samples, nil, err
	}
	after, err := count(ctx)
	if err != nil {
		return samples, nil, err
	}
	if !unnamed(samples) {
		return samples, nil, nil
	}
	for name := range after {
		after[name] -= before[name]
	}
	return samples, after, nil
}

// counter counts accepted connections from outside where the server is the
// user's own; the instrumented one says itself who answered.
func (t *Trial) counter(fleet Fleet) func(context.Context) (map[string]uint64, error) {
	c, ok := fleet.(Counter)
	if t.Fleet.Image == "" || !ok {
		return func(context.Context) (map[string]uint64, error) { return nil, nil }
	}
	return c.Accepted
}

// unnamed says whether there are answers and none of them says who gave it.
func unnamed(samples []Sample) bool {
	some := false
	for _, s := range samples {
		if s.Instance != "" {
			return false
		}
		some = some || s.OK()
	}
	return some
}

func (t *Trial) awaitFront(ctx context.Context, at Place, targets []netip.AddrPort) error {
	const patience = 20 * time.Second
	deadline := time.Now().Add(patience)
	streak := max(readyStreak, 2*len(targets))
	probe := Plan{Requests: 1, Concurrency: 1, Timeout: time.Second, Path: t.Plan.Path, Seed: 1}
	for good := 0; good < streak; {
		var last Sample
		one := targets[good%len(targets) : good%len(targets)+1]
		if err := t.Driver.Drive(ctx, at, probe, one, func(s Sample) { last = s }); err != nil {
			return err
		}
		if last.OK() {
			good++
			continue
		}
		good = 0
		if time.Now().After(deadline) {
			return fmt.Errorf("the front %s did not answer within %s: %s (%s)", one[0], patience, last.Fault, last.Detail)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func logsOf(ctx context.Context, fleet Fleet) error {
	l, ok := fleet.(Logger)
	if !ok {
		return nil
	}
	var all []string
	for name, text := range l.Logs(ctx) {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, fmt.Sprintf("log of %s: %s", name, text))
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return errors.New(strings.Join(all, "\n"))
}

func (t *Trial) judge(res *Result, m Measurement, samples []Sample) []Verdict {
	e := Evidence{
		Measurement: m, Samples: samples, Replicas: res.Fleet,
		Null: res.Null, Workers: res.Workers, Plan: t.Plan, Vantage: t.Vantage,
	}
	var all []Verdict
	for i, c := range t.Claims {
		v := c.Judge(e)
		v.Claim, v.Asked = c.Name(), i < t.Asked
		all = append(all, v)
	}
	return all
}

// refusal turns a refusal that is the finding into a verdict on every claim.
func (t *Trial) refusal(res *Result, err error) (*Result, []Sample, error) {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return res, nil, err
	}
	for i, c := range t.Claims {
		res.Verdicts = append(res.Verdicts, Verdict{
			Claim: c.Name(), Outcome: RefusedByHost, Asked: i < t.Asked,
			Sentence: "the host refused: " + refused.Error(), Warnings: []string{},
		})
	}
	return res, nil, nil
}

func (t *Trial) newResult(begun time.Time) *Result {
	about, needs := t.Strategy.About(), t.Strategy.Needs()
	res := &Result{
		SchemaVersion: SchemaVersion, Run: t.Fleet.Run, Started: begun.UTC().Truncate(time.Millisecond),
		Command: t.Command, Strategy: t.Strategy.Name(), Summary: about.Summary,
		Runtime: t.Runtime.Name(), Vantage: t.Vantage, Null: needs.Null,
		Replicas: t.Fleet.Replicas, Image: t.Fleet.Image, Plan: t.Plan,
		Faults: map[Fault]int{}, ClientAddress: AddressUnknown,
		Path: about.Path, Caveats: about.Caveats, Sources: about.Sources,
	}
	if w, ok := t.Strategy.(Warner); ok {
		res.Caveats = append([]string{w.Warning()}, res.Caveats...)
	}
	if c, ok := t.Strategy.(Concurrent); ok {
		res.Workers = c.Workers()
	}
	return res
}

func (t *Trial) tell(e Event) {
	if t.Watch != nil {
		t.Watch(e)
	}
}

func lap(d *time.Duration, since time.Time) { *d = time.Since(since) }
