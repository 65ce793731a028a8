package calibrate

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/stat"
)

// Judged is what a claim came to on runs of one balancer.
type Judged struct {
	Claim string `json:"claim"`
	Of    string `json:"of"`
	N     int    `json:"n"` // connections of each run; of a sequential one, at most
	// Median is how many connections a run took: less than N where it ended as
	// soon as it was settled.
	Median  int    `json:"median_n"`
	Truth   string `json:"truth"` // about the balancer
	Runs    int    `json:"runs"`
	Held    int    `json:"held"`
	Open    int    `json:"inconclusive"`
	Refuted int    `json:"refuted"`
	// Wrong is how many of them were wrong, Limit the probability that one is, at
	// most; both 0 where no outcome is wrong.
	Wrong   int         `json:"wrong"`
	Limit   float64     `json:"limit"`
	P       float64     `json:"p_value"` // of so many wrong ones or more, at the limit
	Finding Finding     `json:"finding"`
	Seems   lab.Pattern `json:"seems"`  // what most of those runs looked like that were looked at
	Alike   int         `json:"alike"`  // runs that looked so
	Looked  int         `json:"looked"` // runs that were looked at
}

// The truths about a balancer's shares.
const (
	truthFair   = "exactly fair"
	truthWithin = "within the tolerance"
	truthBeyond = "beyond the tolerance"
)

// judgement is a claim to be held against runs of a balancer.
type judgement struct {
	b          Balancer
	n          int
	sequential bool
}

func judgements() []judgement {
	var all []judgement
	for _, c := range []struct {
		b  Balancer
		ns []int
	}{
		{Even(2), []int{300, 3000}}, {Even(10), []int{300, 6000}},
		{Turns(2, 1), []int{300}}, {Turns(2, 4), []int{300}}, {LeastBusy(2, 8), []int{300}},
		{Hash(4, 3), []int{300}}, {KeptAlive(4, 10), []int{300}},
		{Split(0.55), []int{300, 3000}}, {Split(0.65), []int{300, 3000}},
		{Cascade(), []int{100, 1000}}, {Kubernetes(), []int{100}},
		{Sticky(2, 1), []int{300}}, {Sticky(2, 8), []int{300}}, {OnlyOne(2), []int{300}},
	} {
		for _, n := range c.ns {
			all = append(all, judgement{b: c.b, n: n})
		}
	}
	for _, c := range []struct {
		b    Balancer
		most int
	}{{Even(2), 2000}, {Even(10), 10_000}, {Split(0.55), 3000}, {Split(0.65), 3000}, {Cascade(), 1000}, {Kubernetes(), 1000}, {OnlyOne(2), 300}} {
		all = append(all, judgement{b: c.b, n: c.most, sequential: true})
	}
	return all
}

// What bounds the work of a row: in how many runs the pattern is looked for, and
// how many connections all runs together have.
const (
	looked  = 10
	maxWork = 1_000_000
)

func (j judgement) run(runs int, seed uint64) Judged {
	runs = min(runs, max(maxWork/j.n, MinRuns))
	r := Judged{Claim: "shares within 20%", Of: j.b.Name, N: j.n, Runs: runs, Truth: j.b.truth()}
	if j.sequential {
		r.Claim += ", until settled"
	}
	rng := named(seed, r.Claim+r.Of)
	took, looks := make([]int, runs), map[lab.Pattern]int{}
	for i := range took {
		e := j.evidence(rng)
		v := shares().Judge(e)
		took[i] = v.N
		if i < looked {
			looks[claim.Recognise(e).Name]++
			r.Looked++
		}
		switch v.Outcome {
		case lab.Held:
			r.Held++
		case lab.Refuted:
			r.Refuted++
		default:
			r.Open++
		}
	}
	r.Median = int(stat.Median(floats(took)))
	for name, n := range looks {
		if c := cmp.Compare(n, r.Alike); c > 0 || c == 0 && name < r.Seems {
			r.Seems, r.Alike = name, n
		}
	}
	r.settle()
	return r
}

// settle counts what is wrong. Of a balancer within the tolerance that is not
// quite fair, both verdicts are right: it is not fair, and near enough.
func (r *Judged) settle() {
	r.P = 1
	switch r.Truth {
	case truthFair:
		r.Wrong, r.Limit = r.Refuted, claim.Alpha
	case truthBeyond:
		r.Wrong, r.Limit = r.Held, 1-claim.Confidence
	default:
		return
	}
	if r.Wrong > 0 {
		r.P = distuv.Binomial{N: float64(r.Runs), P: r.Limit}.Survival(float64(r.Wrong) - 1)
	}
}

// judgeAll gives each row its finding, as [Judge] does.
func judgeAll(rows []Judged) {
	p := make([]float64, len(rows))
	for i, r := range rows {
		p[i] = r.P
	}
	for i, adjusted := range stat.Holm(p) {
		rows[i].Finding = AsStated
		if adjusted < Doubt {
			rows[i].Finding = TooMany
		}
	}
}

func (b Balancer) truth() string {
	const tolerance = claim.DefaultTolerancePercent / 100.
	switch {
	case b.Fair():
		return truthFair
	case b.distance() <= tolerance:
		return truthWithin
	}
	return truthBeyond
}

// evidence is that of one run, cut off as soon as it is settled if it is sequential.
func (j judgement) evidence(rng *rand.Rand) lab.Evidence {
	list := j.b.make(rng, j.n)
	if !j.sequential {
		return j.b.evidence(rng, list)
	}
	enough := claim.UntilSettled([]lab.Claim{shares()}, j.b.Null)(j.b.replicas())
	if at := slices.IndexFunc(list, enough); at >= 0 {
		list = list[:at+1]
	}
	e := j.b.evidence(rng, list)
	e.Plan.UntilSettled = true
	return e
}

func floats(x []int) []float64 {
	all := make([]float64, len(x))
	for i, v := range x {
		all[i] = float64(v)
	}
	return all
}
