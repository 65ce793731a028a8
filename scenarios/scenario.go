// Package scenarios holds executable statements about the world: named sets of
// trials with claims, and what must become of them. `go test ./scenarios/...`
// runs them on the real kernel and a real Docker engine.
package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/strategies"
)

// Scenario is a named set of trials and claims.
type Scenario struct {
	Name      string // lower case, words joined by hyphens
	Statement string // what it shows, in one sentence
	Source    string // where the statement comes from; empty if it is ours
	// Kernel are the modules that it needs, and that not every kernel has, such as
	// ip_vs. Where this machine's lacks them, it can be run in a virtual machine:
	// see [In].
	Kernel []string
	Trials []Trial
}

// All lists every scenario.
func All() []Scenario { return slices.Concat(Article(), Netem(), Kernels()) }

// Trial is one trial of a scenario, and what must become of its claims.
type Trial struct {
	Strategy string
	Vantage  lab.Vantage
	Family   lab.Family   // the IP version; zero: IPv4
	Link     lab.LinkKind // of the replicas; empty: [lab.LinkBridge]
	Replicas int
	Requests int // each on a connection of its own
	// Concurrency is how many of them are made at a time; 0: one.
	Concurrency int
	// Impair is what the path between the external client and the host does to
	// packets, in the words of [lab.ParseImpairment]; empty: nothing.
	Impair  string
	Weights []float64
	Expect  []Expectation
}

// Expectation is a claim, in the words of [claim.Parse], and what must become
// of it; with no outcome it is judged and shown, and anything will do.
type Expectation struct {
	Claim   string
	Outcome lab.Outcome
}

// Bench is what scenarios run on.
type Bench struct {
	Runtime lab.Runtime
	Driver  lab.Driver
	// Guard makes a run known to be alive: without it, any other run would sweep
	// this one as dead. It gives the run's journal, and what to call at the end.
	Guard func(context.Context, lab.RunID) (lab.Journal, func(context.Context) error, error)
}

// Trial makes the lab's trial of a scenario's. It returns a [lab.UsageError]
// for an unknown strategy or claim.
func (b Bench) Trial(t Trial) (*lab.Trial, error) {
	s, err := strategies.Find(t.Strategy)
	if err != nil {
		return nil, err
	}
	var claims []lab.Claim
	for _, e := range t.Expect {
		c, err := claim.Parse(e.Claim)
		if err != nil {
			return nil, err
		}
		claims = append(claims, c)
	}
	path, err := t.path()
	if err != nil {
		return nil, err
	}
	return &lab.Trial{
		Impairments: path,
		Strategy:    s, Runtime: b.Runtime, Vantage: t.Vantage, Driver: b.Driver,
		Fleet:  lab.FleetSpec{Run: lab.NewRunID(), Family: t.Family, Link: t.Link, Replicas: t.Replicas, Weights: t.Weights},
		Plan:   t.plan(),
		Claims: claims, Asked: len(claims),
	}, nil
}

// Run runs one trial of a scenario and returns its result, or an error that
// says which expectation was not met.
func (b Bench) Run(ctx context.Context, t Trial) (*lab.Result, error) {
	all, err := b.RunAlso(ctx, t)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// RunAlso runs one trial of a scenario and, while all of it stands, those that
// call the same front, such as from other vantages: one result of each that was
// measured, and an error that says which expectations were not met.
func (b Bench) RunAlso(ctx context.Context, t Trial, also ...Trial) ([]*lab.Result, error) {
	trial, err := b.Trial(t)
	if err != nil {
		return nil, err
	}
	journal, done, err := b.Guard(ctx, trial.Fleet.Run)
	if err != nil {
		return nil, err
	}
	trial.Journal = journal
	var more []*lab.Result
	trial.Hold = func(ctx context.Context, f lab.Fleet, _ *lab.Result, _ lab.Samples) (err error) {
		more, err = b.again(ctx, f, trial.Fleet.Run, also)
		return err
	}
	result, _, err := lab.Run(ctx, trial)
	if err = errors.Join(err, done(context.WithoutCancel(ctx))); err != nil {
		return nil, err
	}
	unmet := []error{t.unmet(result)}
	for i, r := range more {
		unmet = append(unmet, also[i].unmet(r))
	}
	return append([]*lab.Result{result}, more...), errors.Join(unmet...)
}

// again measures what a run has made.
func (b Bench) again(ctx context.Context, f lab.Fleet, run lab.RunID, trials []Trial) (all []*lab.Result, err error) {
	for _, t := range trials {
		trial, err := b.Trial(t)
		if err != nil {
			return all, err
		}
		trial.Fleet.Run = run
		r, err := trial.Again(ctx, f)
		if err != nil {
			return all, fmt.Errorf("%s from %s: %w", t.Strategy, t.Vantage, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// unmet is an error that says which expectation a result does not meet; nil if
// it meets all. The claims that were asked for are its first ones.
func (t Trial) unmet(r *lab.Result) error {
	if len(r.Verdicts) < len(t.Expect) {
		return fmt.Errorf("%s from %s: %d verdicts on %d claims", t.Strategy, t.Vantage, len(r.Verdicts), len(t.Expect))
	}
	for i, e := range t.Expect {
		if v, want := r.Verdicts[i], e.Outcome; want != "" && v.Outcome != want {
			return fmt.Errorf("%s from %s: the claim %q is %s, not %s: %s",
				t.Strategy, t.Vantage, v.Claim, v.Outcome, want, v.Sentence)
		}
	}
	return nil
}

// pathTimeout is so long that a path as these scenarios have it loses nothing
// for good: a SYN is sent again after 1, 3, 7, 15 and 31 s (RFC 6298) or, from
// Linux 6.5 on, more often (tcp_syn_linear_timeouts of ip-sysctl.rst).
const pathTimeout = time.Minute

func (t Trial) plan() lab.Plan {
	p := lab.DefaultPlan()
	p.Requests, p.Concurrency, p.Timeout = t.Requests, max(t.Concurrency, 1), 5*time.Second
	if t.Impair != "" {
		p.Timeout = pathTimeout
	}
	return p
}

// path is what is done to the path, from the beginning of the load on.
func (t Trial) path() ([]lab.TimedImpairment, error) {
	if t.Impair == "" {
		return nil, nil
	}
	i, err := lab.ParseImpairment(t.Impair)
	return []lab.TimedImpairment{{Impairment: i}}, err
}
