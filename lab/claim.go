package lab

// Claim is a statement fixed before the run.
type Claim interface {
	// Name is the statement in plain words, such as "shares within 20% of equal".
	Name() string
	// Judge holds the claim against what was measured.
	Judge(e Evidence) Verdict
}

// Evidence is what a claim is held against.
type Evidence struct {
	Measurement Measurement
	Samples     Samples
	Replicas    []Replica
	Null        Null
	Workers     int // that keep their own turn under round robin; 0: unknown
	Plan        Plan
	Vantage     Vantage
	// Emulated: the processor was emulated ([Environment]), so that no claim on
	// times, rates or costs can be judged.
	Emulated bool
}

// Outcome is what became of a claim.
type Outcome string

// The outcomes.
const (
	Held          Outcome = "held"         // shown, to the stated confidence
	Refuted       Outcome = "refuted"      // shown to be false, to the stated significance
	Inconclusive  Outcome = "inconclusive" // too few data to tell
	RefusedByHost Outcome = "refused"      // the host refused a step, and that is the finding
	Unsupported   Outcome = "unsupported"  // cannot be had here
	Broken        Outcome = "broken"       // something failed that has nothing to do with the claim
)

// Verdict is a claim held against a measurement.
type Verdict struct {
	Claim    string  `json:"claim"`
	Outcome  Outcome `json:"outcome"`
	Sentence string  `json:"sentence"` // what it means, in one sentence for people
	// Asked: the claim was asked for by name, so that its refutation is a
	// failure of the run (exit status 1).
	Asked bool `json:"asked"`

	Test      string   `json:"test"`      // the test's name, such as "Pearson chi-square"
	Statistic *float64 `json:"statistic"` // of the test; null if there is none
	PValue    *float64 `json:"p_value"`   // null if there is none
	Alpha     float64  `json:"alpha"`     // significance at which the claim would be refuted; 0 if no test decides
	// Effect is the size of what was found and EffectName what it is.
	Effect     *float64 `json:"effect"`
	EffectName string   `json:"effect_name"`
	// Interval is the confidence interval of the effect, or of the one share
	// that is furthest off; null if there is none.
	Interval   *[2]float64 `json:"interval"`
	Confidence float64     `json:"confidence"` // of the interval
	// N is the number of observations; NeedN how many would settle the claim.
	N        int      `json:"n"`
	NeedN    int      `json:"need_n"` // 0 if settled or unknown
	Warnings []string `json:"warnings"`

	Shares []ShareInterval `json:"shares,omitempty"`
}

// ShareInterval is one instance's share with its simultaneous interval.
type ShareInterval struct {
	Instance string  `json:"instance"`
	Expected float64 `json:"expected"`
	Share    float64 `json:"share"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
}
