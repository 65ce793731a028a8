package compare

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab"
)

func compared(t *testing.T, cfg Config) *Comparison {
	t.Helper()
	c, err := Compare(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func summaryIn(c *Comparison, arm, metric string) Summary {
	i := slices.IndexFunc(c.Summaries, func(s Summary) bool { return s.Arm == arm && s.Metric == metric })
	if i < 0 {
		return Summary{}
	}
	return c.Summaries[i]
}

func (c *Comparison) pair(first, second, metric string) Pair {
	for _, p := range c.Pairs {
		if p.First == first && p.Second == second && p.Metric == metric {
			return p
		}
	}
	return Pair{}
}

// A real difference is found, with the right sign for either direction of
// better, and its ratio is right, though rounds differ by far more.
func TestDifferenceIsFound(t *testing.T) {
	l := newLaw(1)
	l.centre["slow"], l.spread = 1.5e6, 0.02
	c := compared(t, config(l, "slow", "like"))
	if p := c.pair("slow", "like", LatencyP50); p.Order != SecondBetter || p.NeedRound != 0 {
		t.Errorf("median latency: %+v, want the second better", p)
	}
	if p := c.pair("client-side", "slow", Throughput); p.Order != FirstBetter || *p.Effect != 0 {
		t.Errorf("throughput: %+v, want the first better", p)
	}
	if p := c.pair("client-side", "like", LatencyP50); p.Order != CannotTell || p.Ratio.N != DefaultRounds {
		t.Errorf("two of one law: %+v", p)
	}
	s := summaryIn(c, "slow", LatencyP50)
	if s.Value.N != DefaultRounds || s.Value.Low == nil || *s.Value.Low > s.Value.Median || *s.Value.High < s.Value.Median {
		t.Errorf("value %+v", s.Value)
	}
	for _, b := range []string{"client-side", "direct"} {
		if r := s.Ratios[b]; math.Abs(r.Median-1.5) > 0.05 || *r.Low > 1.5 || *r.High < 1.5 || r.Confidence < 0.95 {
			t.Errorf("ratio to %s: %+v, want 1.5", b, r)
		}
	}
	if s := summaryIn(c, "client-side", LatencyP50); len(s.Ratios) != 1 {
		t.Errorf("the baseline is divided by %v", s.Ratios)
	}
}

// What disturbs a whole round cancels out of the ratios within it.
func TestRatiosAreWithinRounds(t *testing.T) {
	l := newLaw(2)
	l.centre["slow"], l.spread = 1.1e6, 0.005
	l.round = func(n int) float64 { return []float64{1, 4, 2}[n%3] }
	s := summaryIn(compared(t, config(l, "slow")), "slow", LatencyP50)
	if wide := *s.Value.High / *s.Value.Low; wide < 3 {
		t.Errorf("the value's interval spans a factor of %.2f only: rounds were not disturbed", wide)
	}
	if r := s.Ratios["client-side"]; *r.Low < 1.07 || *r.High > 1.13 {
		t.Errorf("ratio %v to %v, want it near 1.1", *r.Low, *r.High)
	}
}

// Over many comparisons of one law with itself, with and without looks, any
// pair of a metric is told apart at most as often as the stated significance.
func TestSameAgainstSameKeepsItsErrorRate(t *testing.T) {
	const comparisons = 300
	for name, looks := range map[string][]int{"one look": nil, "three looks": {6, 8}} {
		t.Run(name, func(t *testing.T) {
			alarms, looked := 0, 0
			for i := range comparisons {
				cfg := config(newLaw(uint64(i)), "same", "same")
				cfg.Seed, cfg.Looks = uint64(i), looks
				c := compared(t, cfg)
				if slices.ContainsFunc(c.Pairs, func(p Pair) bool { return p.Metric == LatencyP50 && p.Order != CannotTell }) {
					alarms++
				}
				looked += len(c.Stop.Looks)
			}
			most := int(distuv.Binomial{N: comparisons, P: Alpha}.Mean()) + 3*int(distuv.Binomial{N: comparisons, P: Alpha}.StdDev()+1)
			t.Logf("%d of %d comparisons told two of one law apart", alarms, comparisons)
			if alarms > most {
				t.Errorf("%d of %d comparisons told two of one law apart, expected at most %d", alarms, comparisons, most)
			}
		})
	}
}

// Intervals of the ratio contain the true one as often as they say.
func TestIntervalsCoverTheTruth(t *testing.T) {
	const comparisons = 300
	missed := 0
	for i := range comparisons {
		l := newLaw(uint64(i) + 5000)
		l.centre["slow"] = 1.2e6
		r := summaryIn(compared(t, config(l, "slow")), "slow", LatencyP50).Ratios["client-side"]
		if *r.Low > 1.2 || *r.High < 1.2 {
			missed++
		}
	}
	// 10 rounds have an interval of 97.9%, so that 2.1% may miss.
	if most := 18; missed > most || missed == 0 {
		t.Errorf("%d of %d intervals miss the truth, expected 1 to %d", missed, comparisons, most)
	}
}

func TestSameArmTwiceHasTwoNames(t *testing.T) {
	c := compared(t, config(newLaw(3), "dnat", "dnat", "dnat"))
	var names []string
	for _, a := range c.Arms {
		names = append(names, a.Name)
	}
	if got := strings.Join(names, " "); got != "client-side direct dnat dnat#2 dnat#3" {
		t.Errorf("arms: %s", got)
	}
	for _, r := range c.Rounds {
		if len(r.Runs) != 5 {
			t.Errorf("round %d has %d runs, want 5", r.Number, len(r.Runs))
		}
	}
}

// A pair that cannot be told says how many rounds would, and they do.
func TestNeededRoundsSuffice(t *testing.T) {
	told, tried := 0, 0
	for seed := range uint64(60) {
		l := newLaw(seed)
		l.centre["slow"] = 1.06e6
		cfg := config(l, "slow")
		cfg.Rounds = 8
		p := compared(t, cfg).pair("client-side", "slow", LatencyP50)
		if p.Order != CannotTell || p.NeedRound == 0 || p.NeedRound > 60 {
			continue
		}
		if p.NeedRound <= cfg.Rounds {
			t.Fatalf("%d rounds did not tell, and %d are said to", cfg.Rounds, p.NeedRound)
		}
		tried++
		l2 := newLaw(seed + 1000)
		l2.centre["slow"] = 1.06e6
		again := config(l2, "slow")
		again.Rounds = p.NeedRound
		if compared(t, again).pair("client-side", "slow", LatencyP50).Order == FirstBetter {
			told++
		}
	}
	// The effect itself is only an estimate, so that the power is not kept exactly.
	if tried < 10 || 2*told < tried {
		t.Errorf("of %d comparisons with as many rounds as were said to be needed, %d told", tried, told)
	}
}

func TestStopsAtALookWhenAllIsSettled(t *testing.T) {
	l := newLaw(4)
	l.spread = 0.001
	l.centre["direct"], l.centre["slow"] = 0.5e6, 2e6
	cfg := config(l, "slow")
	cfg.Rounds, cfg.Looks = 20, []int{8, 12}
	c := compared(t, cfg)
	if c.Stop.Done != 8 || len(c.Rounds) != 8 || !strings.Contains(c.Stop.Reason, "round 8") {
		t.Errorf("it ended after %d rounds: %s", c.Stop.Done, c.Stop.Reason)
	}
	if want := Alpha / 3; c.Stop.LookAlpha != want || !slices.Equal(c.Stop.Looks, []int{8, 12, 20}) {
		t.Errorf("looks %v at %v each, want three at %v", c.Stop.Looks, c.Stop.LookAlpha, want)
	}
	l.centre["slow"] = 1.002e6 * 0.93 // neither equal within 5% nor always told apart from client-side
	l.spread = 0.3
	cfg.Run = l.run
	if c := compared(t, cfg); c.Stop.Done != 20 {
		t.Errorf("it ended after %d rounds though nothing was settled: %s", c.Stop.Done, c.Stop.Reason)
	}
}

func TestFailedAndAbsentArms(t *testing.T) {
	l := newLaw(5)
	cfg := config(l, "flaky", "missing", "refused", "dead")
	runs := map[string]int{}
	cfg.Run = func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
		runs[t.Strategy.Name()]++
		switch t.Strategy.Name() {
		case "flaky":
			if runs["flaky"] == 3 {
				return nil, nil, errors.New("it broke\non the way")
			}
		case "missing":
			return nil, nil, &lab.UnsupportedError{What: "missing", Reason: "no such program"}
		case "refused":
			return &lab.Result{Verdicts: []lab.Verdict{{Outcome: lab.RefusedByHost, Sentence: "the host refused"}}}, nil, nil
		case "dead":
			return nil, nil, errors.New("it never works")
		}
		return l.run(ctx, t)
	}
	c := compared(t, cfg)
	absent := map[string]string{}
	for _, a := range c.Arms {
		absent[a.Name] = a.Absent
	}
	for arm, want := range map[string]string{"flaky": "", "missing": "no such program", "refused": "refused", "dead": "3 times in a row"} {
		if !strings.Contains(absent[arm], want) || want == "" && absent[arm] != "" {
			t.Errorf("%s is absent because %q, want %q", arm, absent[arm], want)
		}
	}
	if runs["missing"] != 1 || runs["refused"] != 1 || runs["dead"] != FailuresInARow || runs["flaky"] != DefaultRounds+1 {
		t.Errorf("runs: %v", runs)
	}
	if s := summaryIn(c, "flaky", LatencyP50); s.Value.N != DefaultRounds-1 || s.Ratios["direct"].N != DefaultRounds-1 {
		t.Errorf("an arm with one failed run has %+v", s)
	}
	if i := slices.IndexFunc(c.Rounds[1].Runs, func(r Run) bool { return r.Failed == "it broke on the way" }); i < 0 {
		t.Errorf("the failed run is not recorded: %+v", c.Rounds[1].Runs)
	}
	noNullLists(t, c)
}

func TestNothingIsComparedWithNothing(t *testing.T) {
	for _, left := range []int{0, 1} {
		l, n := newLaw(10), 0
		cfg := config(l, "other")
		cfg.Run = func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
			if n++; n > left {
				return nil, nil, &lab.UnsupportedError{What: "this", Reason: "not here"}
			}
			return l.run(ctx, t)
		}
		c, err := Compare(t.Context(), cfg)
		if !errors.Is(err, lab.ErrUnsupported) || !strings.Contains(err.Error(), "not here") || len(c.Rounds) != 0 {
			t.Errorf("with %d arms left: %v, %+v", left, err, c.Rounds)
		}
	}
}

// What could not be taken back ends it, as an interruption does, and what was
// measured is there.
func TestEndsEarlyWithWhatThereIs(t *testing.T) {
	for name, end := range map[string]func(cancel context.CancelCauseFunc) error{
		"unclean": func(context.CancelCauseFunc) error { return lab.Unclean(errors.New("a rule stays")) },
		"interrupted": func(cancel context.CancelCauseFunc) error {
			cancel(errors.New("interrupted"))
			return errors.New("it was cut off")
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			l, n := newLaw(6), 0
			cfg := config(l, "other")
			cfg.Run = func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
				if n++; n == 3+2*3+2 {
					return nil, nil, end(cancel)
				}
				return l.run(ctx, t)
			}
			c, err := Compare(ctx, cfg)
			if err == nil || c == nil || c.Stop.Done != 2 || len(c.Rounds) != 3 || len(c.Rounds[2].Runs) != 1 {
				t.Fatalf("error %v, %+v", err, c)
			}
			if !strings.Contains(c.Stop.Reason, "round 3") || len(c.Warnings) == 0 || summaryIn(c, "other", LatencyP50).Value.N == 0 {
				t.Errorf("stop %+v, warnings %q", c.Stop, c.Warnings)
			}
			noNullLists(t, c)
		})
	}
}

// nullable are the fields that may be null: numbers that are not known.
var nullable = []string{
	"low", "high", "p_value", "adjusted_p", "common_language", "drift_tau", "drift_p_value", "statistic", "effect", "interval",
}

func noNullLists(t *testing.T, c *Comparison) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch x := v.(type) {
		case map[string]any:
			for k, y := range x {
				if y == nil && !slices.Contains(nullable, k) {
					t.Errorf("%s.%s is null", at, k)
				}
				walk(at+"."+k, y)
			}
		case []any:
			for _, y := range x {
				walk(at+"[]", y)
			}
		}
	}
	walk("", v)
}

func TestJSONHasNoNullListsAndComesBack(t *testing.T) {
	c := compared(t, config(newLaw(7), "other"))
	noNullLists(t, c)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back Comparison
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	back.Fold()
	again, err := json.Marshal(&back)
	if err != nil || string(again) != string(text) {
		t.Errorf("read back and folded again, it differs (%v)", err)
	}
}

// Too few requests leave a quantile out; a run without a cost has no values of it.
func TestMetricsThatAreNotKnownAreLeftOut(t *testing.T) {
	l := newLaw(8)
	l.change = func(r *lab.Result) { r.Cost = nil }
	cfg := config(l, "other")
	cfg.Trial.Plan.Requests = 999
	c := compared(t, cfg)
	var names []string
	for _, m := range c.Metrics {
		names = append(names, m.Name)
	}
	if want := []string{Throughput, LatencyP50, LatencyP90, Fairness, Loss}; !slices.Equal(names, want) {
		t.Errorf("metrics %v, want %v", names, want)
	}
	if s := summaryIn(c, "direct", Fairness); s.Value.N != 0 {
		t.Errorf("one replica has a fairness: %+v", s)
	}
	if len(summaryIn(c, "other", Loss).Ratios) != 0 {
		t.Error("a loss of nothing was divided by")
	}
}

func TestFairnessIsJainsIndex(t *testing.T) {
	for _, c := range []struct {
		connections []int
		expected    []float64
		want        float64
	}{
		{[]int{100, 100, 100, 100}, []float64{.25, .25, .25, .25}, 1},
		{[]int{400, 0, 0, 0}, []float64{.25, .25, .25, .25}, 0.25},
		{[]int{300, 100}, []float64{.75, .25}, 1},
		{[]int{1, 3}, []float64{.5, .5}, 0.8},
	} {
		r := &lab.Result{}
		for i, n := range c.connections {
			r.Instances = append(r.Instances, lab.InstanceResult{Connections: n, Expected: c.expected[i]})
		}
		if got, ok := fairness(r); !ok || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v for %v: %v, want %v", c.connections, c.expected, got, c.want)
		}
	}
}

func TestBadConfigurationIsAUsageError(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no round":       func(c *Config) { c.Rounds = 0 },
		"one arm":        func(c *Config) { c.Contenders = c.Contenders[:1] },
		"look at end":    func(c *Config) { c.Looks = []int{10} },
		"look too early": func(c *Config) { c.Looks = []int{1} },
		"looks reversed": func(c *Config) { c.Looks = []int{8, 6} },
		"looks twice":    func(c *Config) { c.Looks = []int{6, 6} },
	} {
		cfg := config(newLaw(9), "other")
		change(&cfg)
		ran := false
		cfg.Run = func(context.Context, *lab.Trial) (*lab.Result, lab.Samples, error) {
			ran = true
			return nil, nil, nil
		}
		_, err := Compare(t.Context(), cfg)
		if _, usage := errors.AsType[*lab.UsageError](err); !usage || ran {
			t.Errorf("%s: %v, ran: %v", name, err, ran)
		}
	}
}
