package compare

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

func TestRatioClaimsHaveThreeOutcomes(t *testing.T) {
	for factor, want := range map[float64]lab.Outcome{2: lab.Held, 1.2: lab.Refuted, 1.5: lab.Inconclusive} {
		l := newLaw(21)
		l.centre["slow"] = 1.5e6
		cfg := config(l, "slow")
		cfg.Trial.Claims, cfg.Trial.Asked = []lab.Claim{claim.AtMost{Factor: factor, Metric: "p99", Baseline: "client-side"}}, 1
		c := compared(t, cfg)
		if len(c.Verdicts) != 1 || c.Verdicts[0].Arm != "slow" {
			t.Fatalf("verdicts %+v: want one, of the arm that was named", c.Verdicts)
		}
		v := c.Verdicts[0]
		if v.Outcome != want || !v.Asked || v.Effect == nil || v.Interval == nil {
			t.Errorf("at most %v times: %+v, want %s", factor, v, want)
		}
	}
}

func TestTooFewRoundsForARatioSaySo(t *testing.T) {
	cfg := config(newLaw(22), "other")
	cfg.Rounds = 5
	cfg.Trial.Claims, cfg.Trial.Asked = []lab.Claim{claim.AtMost{Factor: 3}}, 1
	if v := compared(t, cfg).Verdicts[0]; v.Outcome != lab.Inconclusive || v.NeedN != 6 {
		t.Errorf("five rounds: %+v, want inconclusive, and that 6 would do", v)
	}
	cfg.Rounds = 6
	if v := compared(t, cfg).Verdicts[0]; v.Outcome != lab.Held {
		t.Errorf("six rounds: %+v", v)
	}
}

func TestClaimsThatNameNothingAreUsageErrors(t *testing.T) {
	for _, x := range []claim.AtMost{{Factor: 2, Metric: "p98"}, {Factor: 2, Baseline: "nobody"}} {
		cfg := config(newLaw(23), "other")
		cfg.Trial.Claims = []lab.Claim{x}
		_, err := Compare(t.Context(), cfg)
		if _, usage := errors.AsType[*lab.UsageError](err); !usage {
			t.Errorf("%s: %v", x.Name(), err)
		}
	}
}

// scripted is a claim whose outcome in each run is written down.
type scripted struct {
	outcomes []lab.Outcome
	tested   bool // by a test with a significance
	at       int
}

func (s *scripted) Name() string { return "as written" }

func (s *scripted) Judge(lab.Evidence) lab.Verdict {
	v := lab.Verdict{Outcome: s.outcomes[s.at%len(s.outcomes)]}
	s.at++
	if s.tested {
		p := 0.5
		v.PValue, v.Alpha = &p, claim.Alpha
	}
	return v
}

// One refuted run of ten may be chance where a test refuted it, and is not
// where the run itself shows it.
func TestRunsAddUpToAVerdict(t *testing.T) {
	h, r, i := lab.Held, lab.Refuted, lab.Inconclusive
	for _, c := range []struct {
		outcomes []lab.Outcome
		tested   bool
		want     lab.Outcome
	}{
		{[]lab.Outcome{h, h, h, h, h, h, h, h, h, h}, true, lab.Held},
		{[]lab.Outcome{h, h, i, i, i, i, i, i, i, h}, true, lab.Held},
		{[]lab.Outcome{i, i, i, i, i, i, i, i, i, h}, true, lab.Inconclusive},
		{[]lab.Outcome{h, h, h, h, r, h, h, h, h, h}, true, lab.Inconclusive},
		{[]lab.Outcome{h, r, h, h, r, h, h, h, h, h}, true, lab.Refuted},
		{[]lab.Outcome{h, h, h, h, r, h, h, h, h, h}, false, lab.Refuted},
	} {
		s := &scripted{outcomes: c.outcomes, tested: c.tested}
		l := newLaw(24)
		cfg := config(l, "other")
		cfg.Trial.Claims, cfg.Trial.Asked = []lab.Claim{s}, 1
		cfg.Run = func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
			if t.Strategy.Name() != "other" || t.Plan.Requests == WarmUpRequests {
				t.Claims, t.Asked = nil, 0
			}
			return l.run(ctx, t)
		}
		got := compared(t, cfg).Verdicts
		if len(got) != 1 || got[0].Outcome != c.want || got[0].N != 10 {
			t.Errorf("%v, tested %v: %+v, want %s", c.outcomes, c.tested, got, c.want)
		}
	}
}

func TestClaimsOnSpeedAreNotJudgedOnAnEmulatedMachine(t *testing.T) {
	for text, want := range map[string]lab.Outcome{
		"at most 3 times the baseline": lab.Unsupported, "cpu at most 3 times the baseline": lab.Unsupported,
		"fairness at most 3 times the baseline": lab.Held, "latency independent": lab.Unsupported, "no loss": lab.Held,
	} {
		l := newLaw(25)
		l.change = func(r *lab.Result) { r.Environment.Emulated = true }
		cfg := config(l, "other")
		x, err := claim.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Trial.Claims, cfg.Trial.Asked = []lab.Claim{x}, 1
		c := compared(t, cfg)
		if v := c.Verdicts[0]; v.Outcome != want || want == lab.Unsupported && v.Effect != nil {
			t.Errorf("%s: %+v, want %s", text, v, want)
		}
		if len(c.Warnings) == 0 || !strings.Contains(c.Warnings[0], "emulated") {
			t.Errorf("%s: warnings %q", text, c.Warnings)
		}
	}
}
