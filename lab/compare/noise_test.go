package compare

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestNoiseIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		disturb func(*law, *Config)
		finding string
	}{
		"quiet": {func(*law, *Config) {}, ""},
		"drift": {func(l *law, _ *Config) {
			l.spread, l.round = 0.001, func(n int) float64 { return 1 + 0.005*float64(n) }
		}, "rose from round to round"},
		"faster": {func(l *law, _ *Config) {
			l.spread, l.round = 0.001, func(n int) float64 { return 1 - 0.005*float64(n) }
		}, "fell from round to round"},
		"steal": {func(l *law, _ *Config) {
			l.change = func(r *lab.Result) { r.Cost.Stolen = r.Elapsed / 5 }
		}, "hypervisor took up to 10%"},
		"others": {func(_ *law, c *Config) {
			c.Idle = func(context.Context) (float64, float64, error) { return 0.4, 1.5, nil }
		}, "40% busy"},
		"spread": {func(l *law, _ *Config) { l.spread = 1 }, "spreads by"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaw(11)
			cfg := config(l, "other")
			c.disturb(l, &cfg)
			n := compared(t, cfg).Noise
			if n.Quiet != (c.finding == "") || !strings.Contains(strings.Join(n.Findings, "\n"), c.finding) {
				t.Errorf("quiet %v, findings %q, want %q", n.Quiet, n.Findings, c.finding)
			}
			if n.Drift == nil || n.DriftP == nil {
				t.Error("no drift was looked for")
			}
		})
	}
}

// What the machine does between the runs is each run's own disturbance.
func TestEachRunSaysWhatDisturbedIt(t *testing.T) {
	l, asked := newLaw(12), 0
	cfg := config(l, "other")
	cfg.Idle = func(context.Context) (float64, float64, error) { asked++; return float64(asked) / 1000, 2, nil }
	c := compared(t, cfg)
	r := c.Rounds[0].Runs[1].Disturbance
	if r.OtherShare != 0.005 || r.LoadAverage != 2 { // three runs warmed up
		t.Errorf("the fifth run was disturbed by %+v", r)
	}
}

func TestTimeLeftIsTold(t *testing.T) {
	l := newLaw(13)
	cfg := config(l, "other")
	cfg.Rounds = 2
	cfg.Run = func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
		time.Sleep(time.Millisecond)
		return l.run(ctx, t)
	}
	var told []Progress
	cfg.Watch = func(p Progress) { told = append(told, p) }
	compared(t, cfg)
	first, last := told[0], told[len(told)-1]
	if first.Round != 0 || first.Total != 9 || first.Left != 0 || first.Arm == "" {
		t.Errorf("first %+v", first)
	}
	if last.Done != 9 || last.Left != 0 || last.Round != 2 || last.Arm != "" {
		t.Errorf("last %+v", last)
	}
	if mid := told[4]; mid.Done != 4 || mid.Left < 5*time.Millisecond || mid.Round != 1 {
		t.Errorf("in the first round %+v", mid)
	}
}
