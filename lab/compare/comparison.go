package compare

import (
	"cmp"
	"time"

	"github.com/portlab/portlab/lab"
)

// SchemaVersion is that of [Comparison] as JSON; docs/comparison.schema.json
// describes it.
const SchemaVersion = 1

// Comparison is what `portlab compare` comes to.
type Comparison struct {
	SchemaVersion int       `json:"schema_version"`
	ID            lab.RunID `json:"id"` // of the comparison; each of its runs has its own
	Started       time.Time `json:"started"`
	Command       []string  `json:"command"` // that repeats it
	Seed          uint64    `json:"seed"`    // of the orders and of each run's random choices

	Runtime  string      `json:"runtime"`
	Vantage  lab.Vantage `json:"vantage"`
	Family   lab.Family  `json:"ip"`
	Replicas int         `json:"replicas"`
	Plan     lab.Plan    `json:"plan"`

	// Baselines are the names of the arms that the others are divided by: the
	// first is the one that a reader should look at.
	Baselines []string `json:"baselines"`
	Arms      []Arm    `json:"arms"`
	Metrics   []Metric `json:"metrics"` // that were compared
	Rounds    []Round  `json:"rounds"`

	Summaries []Summary `json:"summaries"` // one for each arm and metric
	Pairs     []Pair    `json:"pairs"`     // one for each pair of arms and metric
	// Verdicts are the claims that were asked for, held against the comparison
	// as a whole, such as "at most 1.5 times the baseline".
	Verdicts []Verdict `json:"verdicts"`
	Traits   []Trait   `json:"traits"` // what was measured beside the rounds; empty if it was not asked for
	// Advice is which to use, derived from the data by stated rules; empty
	// without traits.
	Advice []Advice `json:"advice"`

	Stop        Stop            `json:"stop"`
	Noise       Noise           `json:"noise"`
	Environment lab.Environment `json:"environment"`
	Warnings    []string        `json:"warnings"` // what casts doubt on it, one sentence each
}

// Arm is one of the things compared: a strategy with its settings, or a baseline.
type Arm struct {
	Name     string            `json:"name"` // as it is typed: nginx:method=random
	Strategy string            `json:"strategy"`
	Settings map[string]string `json:"settings,omitempty"`
	Summary  string            `json:"summary"` // of the strategy, one line
	Replicas int               `json:"replicas"`
	Null     lab.Null          `json:"null"`
	Baseline bool              `json:"baseline"`
	// Absent is why the arm could not take part; empty if it did.
	Absent string `json:"absent,omitempty"`
}

// Metric is a quantity that a run has one value of.
type Metric struct {
	Name    string `json:"name"`  // such as latency_p99
	Title   string `json:"title"` // for people: "latency, 99th percentile"
	Unit    string `json:"unit"`  // as benchmarks write it (golang.org/x/perf/benchunit): ns, req/s, B, ns/req
	Higher  bool   `json:"higher_is_better"`
	Meaning string `json:"meaning"` // one sentence
}

// Compare orders two values of the metric, the better one first: -1 where x is
// better, 1 where y is, 0 where they are equal.
func (m Metric) Compare(x, y float64) int {
	if m.Higher {
		return cmp.Compare(y, x)
	}
	return cmp.Compare(x, y)
}

// HardwareBound says whether a value is the hardware's as much as the arm's: a
// time, a rate or a cost. What is measured of it on an emulated machine holds
// there alone; a share holds everywhere.
func (m Metric) HardwareBound() bool { return m.Name != Fairness && m.Name != Loss }

// Round is one pass over all arms.
type Round struct {
	Number int   `json:"number"` // from 1
	Runs   []Run `json:"runs"`   // in the order in which they ran
}

// Run is one run of one arm.
type Run struct {
	Arm     string        `json:"arm"`
	ID      lab.RunID     `json:"id"`
	Started time.Time     `json:"started"`
	Took    time.Duration `json:"took_ns"` // the whole run
	// Values are the metrics' values, by name; one that is not known is left out.
	Values map[string]float64 `json:"values"`
	// Connections of each replica, in the fleet's order.
	Connections []int             `json:"connections"`
	Requests    int               `json:"requests"`
	Faults      map[lab.Fault]int `json:"faults"`
	Verdicts    []lab.Verdict     `json:"verdicts"`
	Warnings    []string          `json:"warnings"`
	// Disturbance is what else the machine did meanwhile.
	Disturbance Disturbance `json:"disturbance"`
	// Failed is why the run has no values; empty if it has.
	Failed string `json:"failed,omitempty"`
	// Folder is the run's own report, relative to the comparison's; empty without one.
	Folder string `json:"folder,omitempty"`
}

// Disturbance is what else a machine did around a run.
type Disturbance struct {
	StolenShare float64 `json:"stolen_share"` // of all processors' time during the load, by the hypervisor
	// OtherShare is for what share of all processors' time the machine was busy
	// just before the run, when nothing of the comparison was under way: during
	// the load, the kernel's work for the run and that for others look alike.
	OtherShare  float64 `json:"other_share"`
	LoadAverage float64 `json:"load_average"` // of the last minute before it (proc(5), loadavg)
}

// Estimate is a median with its confidence interval over runs. Low and High
// are absent where there are too few runs for an interval of that confidence.
type Estimate struct {
	Median     float64  `json:"median"`
	Low        *float64 `json:"low"`
	High       *float64 `json:"high"`
	Confidence float64  `json:"confidence"` // that the interval really has, at least the one asked for; 0 without one
	N          int      `json:"n"`          // runs, or rounds of a ratio
}

// Summary is what one arm came to in one metric.
type Summary struct {
	Arm    string   `json:"arm"`
	Metric string   `json:"metric"`
	Value  Estimate `json:"value"`
	// Ratios are those to each baseline within a round, by the baseline's name.
	Ratios map[string]Estimate `json:"ratios"`
}

// Order says which of two arms is the better one in a metric, or that it cannot
// be told.
type Order string

// The orders.
const (
	FirstBetter  Order = "first"
	SecondBetter Order = "second"
	CannotTell   Order = "cannot tell"
)

// Pair is two arms held against each other in one metric.
type Pair struct {
	First     string   `json:"first"`
	Second    string   `json:"second"`
	Metric    string   `json:"metric"`
	Ratio     Estimate `json:"ratio"`           // second over first, within a round
	PValue    *float64 `json:"p_value"`         // Mann-Whitney; null if there is none
	Adjusted  *float64 `json:"adjusted_p"`      // by Holm over all pairs of the metric
	Order     Order    `json:"order"`           // by the adjusted p
	NeedRound int      `json:"need_rounds"`     // that would settle it with a power of 0.8; 0 if settled or not to be said
	Effect    *float64 `json:"common_language"` // probability that the second's value is above the first's (Vargha and Delaney's A)
}

// Verdict is a claim held against one arm of a comparison.
type Verdict struct {
	Arm string `json:"arm"`
	lab.Verdict
}

// Stop says how long a comparison went on, and why it ended.
type Stop struct {
	Planned int   `json:"planned_rounds"` // at most
	Done    int   `json:"done_rounds"`
	Looks   []int `json:"looks"` // after which rounds it could have ended, fixed beforehand
	// Alpha is the significance over all looks and pairs of a metric; LookAlpha
	// that of each look.
	Alpha     float64 `json:"alpha"`
	LookAlpha float64 `json:"look_alpha"`
	Reason    string  `json:"reason"` // one sentence
}

// Noise is what the rounds say about the machine.
type Noise struct {
	Quiet bool `json:"quiet"`
	// Drift is the rank correlation of the first baseline's latency with the
	// round (Kendall's tau), and DriftP its p-value; null with too few rounds.
	Drift  *float64 `json:"drift_tau"`
	DriftP *float64 `json:"drift_p_value"`
	// Spread is the first baseline's interquartile range over its median.
	Spread      float64  `json:"spread"`
	StolenShare float64  `json:"stolen_share"` // the most of any run
	OtherShare  float64  `json:"other_share"`  // the median over runs
	Findings    []string `json:"findings"`     // what is disturbing, one sentence each
}

// Trait is one thing found out about one arm.
type Trait struct {
	Arm  string `json:"arm"`
	Name string `json:"name"` // such as hairpin; see [Traits]
	// Answer is yes, no, or "cannot tell"; for a trait that is a quantity it is
	// empty and Value counts.
	Answer string `json:"answer,omitempty"`
	Value  string `json:"value"` // what the cell shows
	// Number is the value of a trait that is a quantity, in the unit of its
	// metric, or a fraction of one; null for others.
	Number *float64 `json:"number"`
	Detail string   `json:"detail"`           // one sentence: how it was found, or why not
	Folder string   `json:"folder,omitempty"` // of the run that shows it, relative to the comparison's
}

// Advice is one sentence on which to use, and the rule that it follows from.
type Advice struct {
	For      string   `json:"for"`  // the situation: "HTTP on one machine, replicas come and go"
	Arms     []string `json:"arms"` // the best first; empty where none fits
	Sentence string   `json:"sentence"`
	Rule     string   `json:"rule"` // that led to it, in words
}
