package claim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// untilSettled offers samples to the monitor of some claims, and returns those
// up to the one at which it had enough, and whether it had.
func untilSettled(fleet []lab.Replica, null lab.Null, samples []lab.Sample, claims ...lab.Claim) ([]lab.Sample, bool) {
	enough := claim.UntilSettled(claims, null)(fleet)
	for i, s := range samples {
		if enough(s) {
			return samples[:i+1], true
		}
	}
	return samples, false
}

func settling(null lab.Null, fleet []lab.Replica, samples []lab.Sample) lab.Evidence {
	e := evidence(null, fleet, samples)
	e.Plan.UntilSettled = true
	return e
}

func TestSequentialShares(t *testing.T) {
	const most = 20_000
	for name, c := range map[string]struct {
		fleet   []lab.Replica
		shares  []float64
		want    lab.Outcome
		settled bool
	}{
		"fair":             {equal(2), evenly(2), lab.Held, true},
		"fair among ten":   {equal(10), evenly(10), lab.Held, true},
		"weighted":         {replicas(3, 1), []float64{0.75, 0.25}, lab.Held, true},
		"skewed":           {equal(2), []float64{0.7, 0.3}, lab.Refuted, true},
		"weights ignored":  {replicas(3, 1), evenly(2), lab.Refuted, true},
		"one gets nothing": {equal(3), []float64{0.5, 0.5, 0}, lab.Refuted, true},
		"on the border":    {equal(2), []float64{0.6, 0.4}, lab.Inconclusive, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := answers(byLaw(11, most, c.shares...))
			seen, settled := untilSettled(c.fleet, lab.Random, all, shares, claim.NoLoss{})
			if settled != c.settled {
				t.Fatalf("settled: %v after %d", settled, len(seen))
			}
			v := judge(t, shares, settling(lab.Random, c.fleet, seen))
			if v.Outcome != c.want || v.N != len(seen) || v.PValue == nil || v.Test != "confidence sequences of shares" {
				t.Errorf("%s after %d of %d by %s: %s", v.Outcome, v.N, len(seen), v.Test, v.Sentence)
			}
			if late := judge(t, shares, settling(lab.Random, c.fleet, all[:min(len(seen)+500, most)])); settled &&
				(late.Sentence != v.Sentence || !warned(late, "500 connections came after")) {
				t.Errorf("with 500 more it says %q, %q, and not %q", late.Sentence, late.Warnings, v.Sentence)
			}
		})
	}
}

// Connections under way together end in another order than they began in. What
// is seen does not depend on that.
func TestSequentialSharesInAnyOrder(t *testing.T) {
	all := answers(byLaw(12, 4000, evenly(2)...))
	inOrder, _ := untilSettled(equal(2), lab.Random, all, shares)
	overtaking := slices.Clone(all)
	for i := 0; i+16 <= len(overtaking); i += 16 {
		slices.Reverse(overtaking[i : i+16])
	}
	seen, settled := untilSettled(equal(2), lab.Random, overtaking, shares)
	if !settled || len(seen) < len(inOrder) || len(seen) > len(inOrder)+16 {
		t.Errorf("settled after %d, want %d and at most 16 more", len(seen), len(inOrder))
	}
}

// Where one instance is slow, its answers come after those of the others: to
// end the load on what came first would call it starved.
func TestSequentialSharesWaitForTheSlow(t *testing.T) {
	all := answers(byLaw(16, 600, evenly(2)...))
	late := slices.Clone(all)
	slices.SortStableFunc(late, func(a, b lab.Sample) int { return strings.Compare(b.Instance, a.Instance) }) // foo before bar
	seen, _ := untilSettled(equal(2), lab.Random, late, shares)
	slices.SortFunc(seen, func(a, b lab.Sample) int { return a.Request - b.Request })
	if v := judge(t, shares, settling(lab.Random, equal(2), seen)); v.Outcome != lab.Held {
		t.Errorf("%s after %d: %s", v.Outcome, len(seen), v.Sentence)
	}
}

func TestSequentialSharesCountDrawsAlone(t *testing.T) {
	all := answers(byLaw(13, 100, evenly(2)...))
	again := twice(all, func(int) bool { return true })
	_, settled := untilSettled(equal(2), lab.Hash, again, shares)
	v := judge(t, shares, settling(lab.Hash, equal(2), again))
	if settled || v.N != 100 || v.Outcome != lab.Inconclusive || v.NeedN <= 100 {
		t.Errorf("of 100 pairs, each twice, %d count (%v): %s", v.N, settled, v.Sentence)
	}
	kept := answers(byLaw(14, 5000, evenly(2)...))
	for i := range kept {
		kept[i].Connection = i / 100
		kept[i].Instance = kept[i-i%100].Instance
	}
	if _, settled := untilSettled(equal(2), lab.Random, kept, shares); settled {
		t.Error("50 connections of 100 requests each have settled it")
	}
	stranger := append(answers(blocks(3)), renumbered(3, answers([]int{5}))...)
	if seen, settled := untilSettled(equal(2), lab.Random, stranger, shares); !settled || len(seen) != 4 {
		t.Error("a stranger does not settle it")
	}
}

func TestNothingIsSettledWithoutAClaimOfShares(t *testing.T) {
	if claim.UntilSettled([]lab.Claim{claim.NoLoss{}}, lab.Random) != nil {
		t.Error("there is a monitor without a claim of shares")
	}
	if enough := claim.UntilSettled([]lab.Claim{shares}, lab.Random)(nil); enough(answers([]int{0})[0]) {
		t.Error("a fleet of nobody is settled")
	}
	for null, want := range map[lab.Null]bool{lab.Random: true, lab.Hash: true, lab.RoundRobin: false, lab.LeastConnections: false, lab.HashAddress: false} {
		if claim.Sequential(null) != want {
			t.Errorf("sequential for %s: %v", null, !want)
		}
	}
}

// However often one looks, a fair balancer is called skewed in at most 1% of
// runs and one beyond the tolerance balanced in at most 5%.
func TestSequentialErrorRates(t *testing.T) {
	const runs, most = 200, 4000
	skewed, balanced := 0, 0
	for i := range runs {
		fair, _ := untilSettled(equal(2), lab.Random, answers(byLaw(uint64(1000+i), most, evenly(2)...)), shares)
		if shares.Judge(settling(lab.Random, equal(2), fair)).Outcome == lab.Refuted {
			skewed++
		}
		beyond, _ := untilSettled(equal(2), lab.Random, answers(byLaw(uint64(5000+i), most, 0.605, 0.395)), shares)
		if shares.Judge(settling(lab.Random, equal(2), beyond)).Outcome == lab.Held {
			balanced++
		}
	}
	// More than these come up in fewer than one of ten thousand repetitions of
	// 1% and of 5%.
	if skewed > 9 || balanced > 25 {
		t.Errorf("of %d runs each, %d fair ones were called skewed and %d beyond the tolerance balanced", runs, skewed, balanced)
	}
	t.Logf("of %d runs each, %d fair ones called skewed, %d beyond the tolerance balanced", runs, skewed, balanced)
}

func TestSequentialSharesSayWhatWasSeen(t *testing.T) {
	seen, _ := untilSettled(equal(2), lab.Random, answers(byLaw(15, 4000, 0.8, 0.2)), shares)
	v := judge(t, shares, settling(lab.Random, equal(2), seen))
	if !strings.Contains(v.Sentence, "however often one looks") || len(v.Shares) != 2 || v.Alpha != claim.Alpha {
		t.Errorf("%+v", v)
	}
}
