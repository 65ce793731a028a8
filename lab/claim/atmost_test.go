package claim_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

func TestParseAtMost(t *testing.T) {
	for text, want := range map[string]claim.AtMost{
		"at most 1.5 times the baseline":                             {Factor: 1.5},
		" At most 2 x  the baseline":                                 {Factor: 2},
		"p99 at most 2 times client-side":                            {Factor: 2, Metric: "p99", Baseline: "client-side"},
		"cpu_per_request at most 10x haproxy:method=random,mode=tcp": {Factor: 10, Metric: "cpu_per_request", Baseline: "haproxy:method=random,mode=tcp"},
	} {
		got, err := claim.Parse(text)
		if err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v", text, got, err)
			continue
		}
		if again, err := claim.Parse(got.Name()); err != nil || again != want {
			t.Errorf("%q, the name of %q, reads as %+v, %v", got.Name(), text, again, err)
		}
	}
	for _, text := range []string{"at most 0 times the baseline", "at most 1001 times the baseline", "at most times the baseline",
		"at most 2 times", "at most -1 times the baseline", "p99 p50 at most 2 times direct", "at most 1e3 times direct"} {
		if _, err := claim.Parse(text); !isUsage(err) {
			t.Errorf("Parse(%q) returned %v", text, err)
		}
	}
}

func isUsage(err error) bool {
	_, ok := errors.AsType[*lab.UsageError](err)
	return ok
}

func TestAtMostTakesAComparison(t *testing.T) {
	v := judge(t, claim.AtMost{Factor: 1.5}, evidence(lab.Random, equal(2), answers(turns(300, 2))))
	if v.Outcome != lab.Unsupported || !strings.Contains(v.Sentence, "portlab compare") {
		t.Errorf("%s: %s", v.Outcome, v.Sentence)
	}
}

func TestAtMostSettle(t *testing.T) {
	c := claim.AtMost{Factor: 1.5}
	for _, x := range []struct {
		low, high float64
		want      lab.Outcome
	}{
		{1.1, 1.5, lab.Held}, {1.6, 2, lab.Refuted}, {1.4, 1.6, lab.Inconclusive}, {1.5, 1.7, lab.Inconclusive},
		{math.NaN(), 1.2, lab.Inconclusive}, {2, math.NaN(), lab.Inconclusive},
	} {
		if got := c.Settle(x.low, x.high); got != x.want {
			t.Errorf("[%v, %v]: %s, want %s", x.low, x.high, got, x.want)
		}
	}
}
