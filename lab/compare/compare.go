package compare

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// Compare carries out a comparison. Each arm first runs once with a short load
// that counts for nothing, so that programs, rules and pages are loaded, and an
// arm that cannot run is found out. Then come the rounds, each arm once in each.
//
// A run that fails is recorded and does not end the comparison; an arm that the
// system does not support, that the host refuses, or that fails
// [FailuresInARow] times in a row is absent from then on. When ctx ends, or
// something could not be taken back (a [lab.UncleanError]), it returns what
// was measured so far together with the error.
func Compare(ctx context.Context, cfg Config) (*Comparison, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	e := newEngine(&cfg)
	err := e.warmUp(ctx)
	if err == nil {
		err = e.rounds(ctx)
	}
	if err != nil {
		e.c.Stop.Reason = fmt.Sprintf("It ended in round %d: %v.", max(len(e.c.Rounds), 1), err)
	}
	e.c.Fold()
	e.c.Verdicts = e.c.verdicts(&cfg)
	e.tell(Progress{Round: len(e.c.Rounds)})
	return e.c, err
}

// engine is a comparison under way.
type engine struct {
	cfg     *Config
	c       *Comparison
	rng     *rand.Rand
	done    int       // runs, those that warm up included
	warm    int       // those of them that warmed up
	begun   time.Time // the rounds
	failing []int     // by arm: runs that failed in a row
	broke   bool      // an arm was given up for that
}

func newEngine(cfg *Config) *engine {
	now := time.Now()
	c := &Comparison{
		SchemaVersion: SchemaVersion, ID: cfg.ID, Started: now.UTC().Truncate(time.Millisecond),
		Command: append([]string{}, cfg.Command...), Seed: cfg.Seed,
		Vantage: cfg.Trial.Vantage, Family: lab.IPv4, Plan: cfg.Trial.Plan, Replicas: cfg.Trial.Fleet.Replicas,
		Baselines: []string{}, Arms: cfg.arms(), Rounds: []Round{},
		Verdicts: []Verdict{}, Traits: []Trait{}, Advice: []Advice{}, Warnings: []string{},
		Stop: stopOf(cfg), Environment: listed(lab.Environment{}),
	}
	if cfg.Trial.Runtime != nil {
		c.Runtime = cfg.Trial.Runtime.Name()
	}
	if cfg.Trial.Fleet.Family == lab.IPv6 {
		c.Family = lab.IPv6
	}
	return &engine{
		cfg: cfg, c: c, failing: make([]int, len(c.Arms)),
		rng: rand.New(rand.NewPCG(cfg.Seed, 0)),
	}
}

// present are the arms that take part, by their place in the list.
func (e *engine) present() []int {
	var all []int
	for i, a := range e.c.Arms {
		if a.Absent == "" {
			all = append(all, i)
		}
	}
	return all
}

// warmUp runs each arm once with a short load.
func (e *engine) warmUp(ctx context.Context) error {
	arms := e.present()
	for _, at := range e.rng.Perm(len(arms)) {
		e.tell(Progress{Arm: e.c.Arms[arms[at]].Name})
		t := e.trial(arms[at])
		t.Plan = warmPlan(t.Plan)
		if _, err := e.run(ctx, arms[at], t, ""); err != nil {
			return err
		}
	}
	return nil
}

// warmPlan is a plan cut short.
func warmPlan(p lab.Plan) lab.Plan {
	if p.Requests == 0 || p.Requests > WarmUpRequests {
		p.Requests = WarmUpRequests
	}
	if p.Duration > time.Second {
		p.Duration = time.Second
	}
	p.Ramp, p.WarmUp = 0, 0
	return p
}

// rounds runs all rounds, or those until a look finds everything settled.
func (e *engine) rounds(ctx context.Context) error {
	arms := e.present()
	e.warm, e.begun = e.done, time.Now()
	if len(arms) < 2 {
		return e.alone()
	}
	for i, order := range orders(len(arms), e.cfg.Rounds, e.rng) {
		if len(e.present()) < 2 {
			return e.alone()
		}
		e.c.Rounds = append(e.c.Rounds, Round{Number: i + 1, Runs: []Run{}})
		for _, at := range order {
			arm := arms[at]
			t := e.trial(arm) // drawn for the absent too: the seed says what the others get
			if e.c.Arms[arm].Absent != "" {
				continue
			}
			e.tell(Progress{Round: i + 1, Arm: e.c.Arms[arm].Name})
			r, err := e.run(ctx, arm, t, folderOf(i+1, e.c.Arms[arm].Name))
			if err != nil {
				return err
			}
			e.c.Rounds[i].Runs = append(e.c.Rounds[i].Runs, r)
		}
		e.c.Stop.Done = i + 1
		if e.c.mayStop(i + 1) {
			return nil
		}
	}
	e.c.Stop.Reason = "All rounds that were planned are done."
	return nil
}

// alone is the error for a comparison without two arms that can run.
func (e *engine) alone() error {
	var why []string
	for _, a := range e.c.Arms {
		if a.Absent != "" {
			why = append(why, a.Name+": "+a.Absent)
		}
	}
	if e.broke {
		return fmt.Errorf("fewer than two arms are left: %s", strings.Join(why, "; "))
	}
	return &lab.UnsupportedError{
		What: "a comparison", Reason: "fewer than two of its arms can run here: " + strings.Join(why, "; "),
	}
}

// trial is one of an arm, with a run and a seed of its own.
func (e *engine) trial(arm int) *lab.Trial {
	t, x := e.cfg.Trial, e.cfg.Contenders[arm]
	t.Strategy = x.Strategy
	t.Fleet.Run, t.Fleet.Replicas, t.Fleet.Weights = lab.NewRunID(), x.Replicas, x.Weights
	t.Plan.Seed = uint64(e.rng.Uint32()) + 1
	t.Claims, t.Asked = e.cfg.runClaims()
	return &t
}

// tell fills in what is known of the way, and tells it.
func (e *engine) tell(p Progress) {
	if e.cfg.Watch == nil {
		return
	}
	arms := len(e.present())
	p.Of, p.Done = e.cfg.Rounds, e.done
	p.Total = max(e.warm, arms) + arms*e.cfg.Rounds
	if counted := e.done - e.warm; e.warm > 0 && counted > 0 {
		p.Left = time.Since(e.begun) / time.Duration(counted) * time.Duration(max(p.Total-e.done, 0))
	}
	e.cfg.Watch(p)
}
