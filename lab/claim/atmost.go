package claim

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// AtMost claims that a metric of a strategy is at most so many times that of a
// baseline. It is a claim of a comparison: one run has nothing to be divided
// by, so [AtMost.Judge] only says so, and lab/compare holds the fields against
// the intervals of its ratios.
type AtMost struct {
	Factor float64 // above 0
	// Metric is what is compared, as it was typed in lower case: one of the
	// metrics of lab/compare, or its short form such as p99. Empty: the median
	// latency.
	Metric string
	// Baseline is the name of the arm that it is divided by. Empty: the
	// comparison's first baseline.
	Baseline string
}

// theBaseline is how an empty [AtMost.Baseline] is written.
const theBaseline = "the baseline"

// MaxFactor is the largest factor that an [AtMost] may have.
const MaxFactor = 1000

var atMostForm = regexp.MustCompile(`^(?:([a-z][a-z0-9_.]*) )?at most (\d{1,4}(?:\.\d{1,6})?) ?(?:times|x) (the baseline|[a-z0-9][a-z0-9_.:,=/-]*)$`)

// parseAtMost reads text, which is in lower case and evenly spaced. ok is false
// for what is no such claim.
func parseAtMost(text string) (c AtMost, ok bool, err error) {
	m := atMostForm.FindStringSubmatch(text)
	if m == nil {
		return AtMost{}, false, nil
	}
	factor, err := strconv.ParseFloat(m[2], 64)
	if err != nil || !(factor > 0 && factor <= MaxFactor) {
		return AtMost{}, true, lab.Usagef("the factor must be above 0 and at most %d, not %s: write \"at most 1.5 times the baseline\"", MaxFactor, m[2])
	}
	return AtMost{Factor: factor, Metric: m[1], Baseline: strings.TrimPrefix(m[3], theBaseline)}, true, nil
}

// Name implements [lab.Claim].
func (c AtMost) Name() string {
	name := "at most " + strconv.FormatFloat(c.Factor, 'f', -1, 64) + " times "
	if c.Metric != "" {
		name = c.Metric + " " + name
	}
	if c.Baseline == "" {
		return name + theBaseline
	}
	return name + c.Baseline
}

// Judge implements [lab.Claim]: one run cannot tell.
func (c AtMost) Judge(e lab.Evidence) lab.Verdict {
	v := newVerdict(c, e.Measurement.Requests)
	v.Outcome = lab.Unsupported
	v.Sentence = "cannot be told from one run, which has nothing to be divided by: hold it against a comparison, with portlab compare --claim " +
		strconv.Quote(c.Name())
	return v
}

// Settle holds the claim against the confidence interval of a ratio: held where
// the whole interval is at most the factor, refuted where all of it is above.
// Bounds that are not known (NaN) settle nothing.
func (c AtMost) Settle(low, high float64) lab.Outcome {
	switch {
	case math.IsNaN(low) || math.IsNaN(high):
		return lab.Inconclusive
	case high <= c.Factor:
		return lab.Held
	case low > c.Factor:
		return lab.Refuted
	}
	return lab.Inconclusive
}
