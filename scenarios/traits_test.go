package scenarios_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
	"github.com/portlab/portlab/lab/load"
	"github.com/portlab/portlab/scenarios"
	"github.com/portlab/portlab/strategies"
)

// traitsOf finds the traits of strategies of two replicas, on a runtime in earnest.
func traitsOf(t *testing.T, b scenarios.Bench, names ...string) *compare.Comparison {
	t.Helper()
	p := planOf(lab.HTTP1)
	p.Requests = 1
	cfg := compare.Config{
		Trial: lab.Trial{Runtime: b.Runtime, Vantage: lab.External, Plan: p},
		Run: func(ctx context.Context, x *lab.Trial) (*lab.Result, lab.Samples, error) {
			x.Driver, x.Prober = load.Prober(x.Plan.Protocol), nil
			x.Plan.Timeout = max(x.Plan.Timeout, 5*time.Second) // the machine may be busy with other tests
			journal, done, err := b.Guard(ctx, x.Fleet.Run)
			if err != nil {
				return nil, nil, err
			}
			x.Journal = journal
			r, samples, err := lab.Run(ctx, x)
			return r, samples, errors.Join(err, done(context.WithoutCancel(ctx)))
		},
	}
	c := &compare.Comparison{}
	for _, name := range names {
		s, err := strategies.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := lab.Supported(t.Context(), b.Runtime, s, lab.IPv4); err != nil {
			t.Skip(err)
		}
		cfg.Contenders = append(cfg.Contenders, compare.Contender{Strategy: s, Replicas: 2})
		c.Arms = append(c.Arms, compare.Arm{Name: name, Replicas: 2})
	}
	if err := compare.Survey(t.Context(), cfg, c); err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Traits {
		t.Logf("%s, %s: %s %s: %s", f.Arm, f.Name, f.Answer, f.Value, f.Detail)
	}
	return c
}

// What is known of the mechanisms is what the survey finds.
func TestTraitsAreWhatTheMechanismsAre(t *testing.T) {
	b := bench(t, "netns")
	for name, want := range map[string]map[string]string{
		"dnat": {
			compare.TraitAddress: compare.Yes, compare.TraitLocalhost: compare.Yes, compare.TraitHairpin: compare.Yes,
			compare.TraitKeepAlive: compare.No, compare.TraitUDP: compare.Yes, compare.TraitTCP: compare.Yes,
			compare.TraitRoot: compare.Yes, compare.TraitApplication: compare.No,
		},
		"reuseport": {
			compare.TraitAddress: compare.Yes, compare.TraitKeepAlive: compare.No, compare.TraitUDP: compare.Yes,
			compare.TraitApplication: compare.Yes,
		},
		"proxy": {
			compare.TraitAddress: compare.No, compare.TraitKeepAlive: compare.Yes, compare.TraitUDP: compare.No,
			compare.TraitHTTP2: compare.Yes, compare.TraitWebSocket: compare.Yes, compare.TraitApplication: compare.No,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := traitsOf(t, b, name)
			for trait, answer := range want {
				if f := c.TraitsOf(name, trait)[0]; f.Answer != answer {
					t.Errorf("%s: %q, want %q: %s", trait, f.Answer, answer, f.Detail)
				}
			}
			survives(t, c, name)
		})
	}
}

// survives holds what is lost after a kill against what the mechanism loses:
// rules send the dead replica its share, and the kernel takes the sockets of the
// dead out of their group.
func survives(t *testing.T, c *compare.Comparison, name string) {
	t.Helper()
	killed, changed := c.TraitsOf(name, compare.TraitKill)[0], c.TraitsOf(name, compare.TraitChange)[0]
	if killed.Number == nil || changed.Number == nil {
		t.Fatalf("after a kill: %s; in a change: %s", killed.Detail, changed.Detail)
	}
	switch name {
	case "dnat":
		if math.Abs(*killed.Number-0.5) > 0.125 { // five standard deviations of 400 requests
			t.Errorf("after a kill %s is lost, want half: %s", killed.Value, killed.Detail)
		}
		if *changed.Number >= *killed.Number {
			t.Errorf("rules that follow lose %s, as much as those that do not", changed.Value)
		}
	case "reuseport":
		if *killed.Number != 0 {
			t.Errorf("after a kill %s is lost, want nothing: %s", killed.Value, killed.Detail)
		}
	}
}
