package compare

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestWarningsSayWhatCastsDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*law, *Config)
		warning string
	}{
		"nothing": {func(*law, *Config) {}, ""},
		"too few to tell": {func(_ *law, c *Config) {
			c.Rounds = 3
		}, "3 rounds cannot tell any of 3 arms apart"},
		"too few for an interval": {func(_ *law, c *Config) {
			c.Rounds, c.Contenders = 5, c.Contenders[1:]
		}, "5 rounds cannot give an interval: it takes 6"},
		"absent": {func(_ *law, c *Config) {
			c.Contenders = append(c.Contenders, Contender{Strategy: fake{"gone"}, Replicas: 4, Absent: "no such kernel"})
		}, "gone did not take part: no such kernel"},
		"loss": {func(l *law, _ *Config) {
			l.change = func(r *lab.Result) {
				if r.Strategy == "other" {
					r.Latency.Count -= 500
				}
			}
		}, "other lost 5% of its requests"},
		"failed": {func(l *law, c *Config) {
			c.Run = func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
				if l.runs == 7 {
					l.runs++
					return nil, nil, errors.New("out of luck")
				}
				return l.run(ctx, t)
			}
		}, "1 run of "},
		"quantile": {func(_ *law, c *Config) {
			c.Trial.Plan.Requests = 9999
		}, "latency_p99.9 is left out"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLaw(31)
			cfg := config(l, "other")
			cfg.Trial.Plan.Requests = 10_000
			c.change(l, &cfg)
			got := compared(t, cfg).Warnings
			if c.warning == "" && len(got) > 0 || !strings.Contains(strings.Join(got, "\n"), c.warning) {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}
