package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/portlab/portlab/lab/compare"
)

// measured writes a value of a metric with its unit.
func measured(x float64, unit string) string {
	switch unit {
	case "ns", "ns/req":
		return span(time.Duration(math.Round(x)))
	case "B":
		return bytesOf(x)
	case "req/s":
		return whole(int(math.Round(x))) + "/s"
	case "lost/req":
		return percent(x)
	}
	return figure(x, 4)
}

// bytesOf writes a size with three significant digits: 8.77 MiB.
func bytesOf(x float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; math.Abs(x) >= 1023.5 && i < len(units)-1; i++ {
		x /= 1024
	}
	return digits(x, 3) + " " + units[i]
}

// times writes a ratio.
func times(x float64) string { return digits(x, 3) }

// estimateInterval writes an estimate's interval; empty where there is none.
func estimateInterval(e compare.Estimate, write func(float64) string) string {
	if e.Low == nil || e.High == nil {
		return ""
	}
	return write(*e.Low) + "–" + write(*e.High)
}

// estimated writes a median with its interval, if it has one: 1.17 (1.13–1.2).
func estimated(e compare.Estimate, write func(float64) string) string {
	if within := estimateInterval(e, write); within != "" {
		return write(e.Median) + " (" + within + ")"
	}
	return write(e.Median)
}

// unsure marks a ratio to a baseline that the arm cannot be told from.
const unsure = "?"

// unsureMark is it, where it is needed.
func (d *digest) unsureMark(arm, metric, baseline string) string {
	if d.alike(arm, baseline, metric) {
		return unsure
	}
	return ""
}

// intervalConfidence says how sure the intervals are, in words; empty if there is none.
func (d *digest) intervalConfidence() string {
	least := 0.0
	for _, s := range d.Summaries {
		for _, e := range s.Ratios {
			if e.Confidence > 0 && (least == 0 || e.Confidence < least) {
				least = e.Confidence
			}
		}
	}
	if least == 0 {
		return ""
	}
	return "at least " + figure(math.Floor(1000*least)/10, 3) + "%"
}

// title is what the report of a comparison is called.
func (d *digest) title() string {
	return fmt.Sprintf("%s compared on %s: %s behind one port", strategiesOf(len(d.contestants(d.present()))), timed(d.Environment, d.Runtime), plural(d.Replicas, "replica"))
}

// extent says how much was done.
func (d *digest) extent() string {
	runs := 0
	for _, r := range d.Rounds {
		runs += len(r.Runs)
	}
	return fmt.Sprintf("%s of %s, %s, each %s", plural(d.Stop.Done, "round"), plural(len(d.present()), "arm"), plural(runs, "run"), amount(d.Plan))
}

// disturbances are what was noisy; none if the machine was quiet.
func (d *digest) disturbances() []string {
	switch {
	case d.Noise.Quiet:
		return nil
	case len(d.Noise.Findings) == 0:
		return []string{"What disturbed it is not known."}
	}
	return d.Noise.Findings
}

// doubts are what else a reader must know before any figure.
func (d *digest) doubts() []string {
	var all []string
	for _, w := range d.Warnings {
		// Why an arm is absent stands at the end, and is no doubt about the others.
		if !slices.ContainsFunc(d.absent(), func(a compare.Arm) bool { return strings.HasPrefix(w, a.Name+" did not take part") }) {
			all = append(all, w)
		}
	}
	for _, t := range d.contradictions() {
		all = append(all, fmt.Sprintf("%s, %s: found with different answers. See the matrix.", t.Arm, d.traitTitle(t.Name)))
	}
	if d.intervalConfidence() == "" && len(d.Rounds) > 0 {
		all = append(all, fmt.Sprintf("There are no intervals: %s are too few for them.", plural(d.Stop.Done, "round")))
	}
	return all
}

// contradictions are the traits that were found with more than one answer.
func (d *digest) contradictions() []compare.Trait {
	var all []compare.Trait
	seen := map[[2]string]bool{}
	for _, t := range d.Traits {
		key := [2]string{t.Arm, t.Name}
		if !seen[key] && compare.Contradicted(d.TraitsOf(t.Arm, t.Name)) {
			all = append(all, t)
		}
		seen[key] = true
	}
	return all
}

// keyMetrics are those that are named in words, if they were compared.
func (d *digest) keyMetrics() []compare.Metric {
	var all []compare.Metric
	for _, name := range []string{compare.LatencyP50, compare.LatencyP99, compare.Throughput, compare.CPU} {
		if m, ok := d.metric(name); ok {
			all = append(all, m)
		}
	}
	return all
}

// unsettled are the pairs that more rounds would settle, of key metrics, the
// fewest rounds first. What an emulator's times could settle nobody wants to know.
func (d *digest) unsettled() []compare.Pair {
	var all []compare.Pair
	if d.Environment.Emulated {
		return all
	}
	for _, m := range d.keyMetrics() {
		for _, p := range d.Pairs {
			if p.Metric == m.Name && p.Order == compare.CannotTell && p.NeedRound > 0 {
				all = append(all, p)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b compare.Pair) int { return a.NeedRound - b.NeedRound })
	return all
}

// unsettledWords says what would settle a pair.
func (d *digest) unsettledWords(p compare.Pair) string {
	m, _ := d.metric(p.Metric)
	parts := []string{}
	if p.Ratio.N > 0 {
		parts = append(parts, "the second over the first is "+estimated(p.Ratio, times))
	}
	if p.Adjusted != nil {
		parts = append(parts, pValue(*p.Adjusted))
	}
	return fmt.Sprintf("%s and %s, %s: %s. About %s would settle it.", p.First, p.Second, m.Title, strings.Join(parts, ", "), plural(p.NeedRound, "round"))
}

func strategiesOf(n int) string {
	if n == 1 {
		return "1 strategy"
	}
	return whole(n) + " strategies"
}
