package compare

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// traitPatience is how long a front may take until it answers in a run for a trait.
const traitPatience = 3 * time.Second

// Survey finds the traits of all arms that took part and have more than one
// replica, and derives the advice from them and the rounds. The comparison must
// be that of the configuration. Where a trait cannot be had, or told, its
// [Trait] says why; an error is what ends the survey, with what was found until
// then in the comparison.
func Survey(ctx context.Context, cfg Config, c *Comparison) error {
	s := &survey{cfg: &cfg, c: c, begun: time.Now()}
	for _, a := range c.Arms {
		if s.surveyed(a) {
			s.total += len(questions())
		}
	}
	for i, a := range c.Arms {
		if !s.surveyed(a) {
			continue
		}
		c.Traits = append(c.Traits, c.ofRounds(a, cfg.Contenders[i])...)
		for _, q := range questions() {
			t, err := s.ask(ctx, i, q)
			if err != nil {
				return err
			}
			c.Traits = append(c.Traits, t)
		}
		c.Traits = append(c.Traits, declared(a.Name, cfg.Contenders[i].Strategy)...)
	}
	c.Fold() // which counts the traits in
	return nil
}

// contradictions are where what was measured is not what a strategy is meant
// to do. A hash may well be skewed: one client may have one address.
func (c *Comparison) contradictions() []string {
	var all []string
	for _, a := range c.Arms {
		even := a.Null == lab.Random || a.Null == lab.RoundRobin
		for _, t := range c.TraitsOf(a.Name, TraitBalance) {
			if even && t.Answer == No {
				all = append(all, fmt.Sprintf("%s is meant to spread connections by its shares (%s), and does not: %s", a.Name, a.Null, t.Detail))
			}
		}
	}
	return all
}

// survey is one under way.
type survey struct {
	cfg         *Config
	c           *Comparison
	begun       time.Time
	done, total int // runs
}

func (s *survey) surveyed(a Arm) bool { return a.Absent == "" && a.Replicas > 1 }

// ask finds one trait of one arm by a run of its own.
func (s *survey) ask(ctx context.Context, arm int, q question) (Trait, error) {
	if ctx.Err() != nil {
		return Trait{}, context.Cause(ctx)
	}
	name := s.c.Arms[arm].Name
	s.tell(name + ", " + q.trait)
	defer func() { s.done++ }()
	t := s.trial(s.cfg.Contenders[arm])
	q.shape(t)
	found := Trait{Arm: name, Name: q.trait}
	if err := t.Valid(); err != nil {
		found.Answer, found.Value, found.Detail = No, No, "Ruled out by design: "+why(err)
		return found, nil
	}
	res, samples, err := s.cfg.Run(ctx, t)
	if _, unclean := errors.AsType[*lab.UncleanError](err); unclean {
		return found, err
	}
	switch {
	case ctx.Err() != nil:
		return found, context.Cause(ctx)
	case errors.Is(err, lab.ErrSilent):
		found.Answer, found.Value, found.Detail = No, No, oneLine(err.Error())
		return found, nil
	case err != nil:
		found.Answer, found.Value, found.Detail = Unknown, Unknown, why(err)
		return found, nil
	case refusal(res) != "":
		found.Answer, found.Value, found.Detail = No, No, refusal(res)
		return found, nil
	}
	q.answer(&found, t, res, samples)
	if s.cfg.Keep == nil {
		return found, nil
	}
	folder := filepath.Join("traits", q.trait+"-"+unsafeInFolder.ReplaceAllString(name, "-"))
	if err := s.cfg.Keep(folder, res, samples); err != nil {
		return found, fmt.Errorf("keep the report of a run: %w", err)
	}
	found.Folder = folder
	return found, nil
}

// why is the reason for what is not supported, and for anything else all of it.
func why(err error) string {
	if no, ok := errors.AsType[*lab.UnsupportedError](err); ok {
		return oneLine(no.Reason)
	}
	return oneLine(err.Error())
}

// trial is a small load of an arm, each request on a connection of its own.
func (s *survey) trial(x Contender) *lab.Trial {
	t := s.cfg.Trial
	t.Strategy, t.Patience = x.Strategy, traitPatience
	t.Fleet.Run, t.Fleet.Replicas, t.Fleet.Weights = lab.NewRunID(), x.Replicas, x.Weights
	t.Claims, t.Asked, t.Monitor = []lab.Claim{claim.NoLoss{}}, 0, nil
	t.Impairments = nil // a trait is the strategy's, whatever the path does
	t.Command = s.cfg.Command
	p := lab.DefaultPlan()
	p.Requests, p.Concurrency = traitRequests, 4
	p.Seed, p.Path, p.Host = s.cfg.Seed+uint64(s.done), s.cfg.Trial.Plan.Path, s.cfg.Trial.Plan.Host
	p.InstanceHeader, p.InstancePattern = s.cfg.Trial.Plan.InstanceHeader, s.cfg.Trial.Plan.InstancePattern
	t.Plan = p
	return &t
}

func (s *survey) tell(arm string) {
	if s.cfg.Watch == nil {
		return
	}
	p := Progress{Round: s.c.Stop.Done, Of: s.c.Stop.Planned, Arm: arm, Done: s.done, Total: s.total}
	if s.done > 0 {
		p.Left = time.Since(s.begun) / time.Duration(s.done) * time.Duration(s.total-s.done)
	}
	s.cfg.Watch(p)
}

// declared are the traits that a strategy says of itself.
func declared(arm string, s lab.Strategy) []Trait {
	needs := s.Needs()
	root := Trait{Arm: arm, Name: TraitRoot, Answer: No, Value: No, Detail: "Its steps do not change the host's network."}
	if needs.Root {
		root.Answer, root.Value, root.Detail = Yes, Yes, "Its steps change the host's network and need CAP_NET_ADMIN."
	}
	app := Trait{Arm: arm, Name: TraitApplication, Answer: No, Value: No, Detail: "The application stays as it is."}
	if what := needs.Application; what != "" {
		app.Answer, app.Value, app.Detail = Yes, Yes, what
	}
	warned := Trait{Arm: arm, Name: TraitWarned, Answer: No, Value: No, Detail: "No warning is known."}
	if w, ok := s.(lab.Warner); ok {
		warned.Answer, warned.Value, warned.Detail = Yes, Yes, w.Warning()
	}
	return []Trait{root, app, warned}
}
