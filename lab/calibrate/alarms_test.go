package calibrate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Each test on a thousand fair runs, at three significances: 5% must be 5%. What
// promises nothing must break what it would have to promise, or it teaches nothing.
func TestFalseAlarmsAreAsPromised(t *testing.T) {
	studies := falseAlarms()
	counted := make([][]Alarms, len(studies))
	each(len(studies), func(i int) { counted[i] = studies[i].alarms(1000, 1) })
	rows := slices.Concat(counted...)
	Judge(rows)
	for _, r := range rows {
		switch {
		case r.Finding == TooMany:
			t.Errorf("%s, %s: %v alarms of %d at %v (p = %v)", r.Test, r.Of, r.Alarms, r.Runs, r.Nominal, r.P)
		case r.Promise == About && r.High < 0.6*r.Nominal:
			t.Errorf("%s, %s: only %v alarms of %d at %v, where about that is promised", r.Test, r.Of, r.Alarms, r.Runs, r.Nominal)
		case r.Promise == Nothing && r.Nominal == 0.10 && r.Low < 0.2:
			t.Errorf("%s, %s: %v alarms of %d at 10%% are no warning to anybody", r.Test, r.Of, r.Alarms, r.Runs)
		}
	}
	// One in forty lies above by chance; three times as many are expected in less
	// than one calibration of a thousand.
	if above, of := Above(rows); above > 3*of/40 {
		t.Errorf("%d of %d rows lie above what they promise", above, of)
	}
}

// A test that says 5% and alarms in 8% of runs is caught, and one that alarms in
// 5% is not.
func TestTooManyAlarmsAreFound(t *testing.T) {
	of := func(name string, promise Promise, rate float64) study {
		return study{test: name, of: "coins", promise: promise, nominals: []float64{0.05}, p: func(rng *rand.Rand) float64 {
			if rng.Float64() < rate {
				return 0.05
			}
			return none
		}}
	}
	var rows []Alarms
	for _, s := range []study{of("honest", About, 0.05), of("broken", About, 0.08), of("cautious", AtMost, 0.01), of("contrast", Nothing, 0.5)} {
		rows = append(rows, s.alarms(2000, 1)...)
	}
	Judge(rows)
	for i, want := range []Finding{AsStated, TooMany, Conservative, NoTest} {
		if rows[i].Finding != want {
			t.Errorf("%s: %s, want %s: %+v", rows[i].Test, rows[i].Finding, want, rows[i])
		}
	}
	if broken := Broken(rows); len(broken) != 1 || broken[0].Test != "broken" {
		t.Errorf("broken are %+v", broken)
	}
	if above, n := Above(rows); above != 1 || n != 3 {
		t.Errorf("%d of %d above", above, n)
	}
}

// What discreteness does to Pearson's test is known, and granted: at 300
// connections of two replicas, counts that are 17 or more off are 5.66%.
func TestExactSizeOfPearsonsTest(t *testing.T) {
	rate, ok := size(Even(2), 300)(0.05)
	var want float64
	for k := range 301 {
		if k <= 133 || k >= 167 {
			want += math.Exp(logBinomial(300, k, 0.5))
		}
	}
	if !ok || math.Abs(rate-want) > 1e-9 || math.Abs(rate-0.0566) > 0.0001 {
		t.Errorf("size %v, want %v", rate, want)
	}
	if _, ok := size(Even(3), 300)(0.05); ok {
		t.Error("the outcomes of three were gone through as if of two")
	}
}

func TestStudiesDependOnTheirSeedAlone(t *testing.T) {
	s := rankStudies()[0]
	first, again, other := s.alarms(500, 1)[0], s.alarms(500, 1)[0], s.alarms(500, 2)[0]
	if first != again || first.Alarms == other.Alarms {
		t.Errorf("seed 1: %d and %d alarms, seed 2: %d", first.Alarms, again.Alarms, other.Alarms)
	}
}
