package calibrate

import (
	"testing"

	"github.com/portlab/portlab/lab"
)

// Theories of power are approximations, worst for few runs far apart: the
// interval of what is seen is granted five points, or ten for Noether's.
func TestPowerIsNearTheory(t *testing.T) {
	all := searches()
	rows := make([]Power, len(all))
	each(len(all), func(i int) { rows[i] = all[i].power(300, 1) })
	compared := 0
	for _, r := range rows {
		if r.Ideal == nil {
			continue
		}
		granted := 0.05
		if r.By == "Noether" {
			granted = 0.10
		}
		compared++
		if *r.Ideal < r.Low-granted || *r.Ideal > r.High+granted {
			t.Errorf("%s, %s, n = %d: found in %v [%v, %v], theory %v", r.Test, r.Of, r.N, r.Rate, r.Low, r.High, *r.Ideal)
		}
	}
	if compared < 15 {
		t.Errorf("only %d rows have a theory", compared)
	}
}

// Fair balancers are not refuted, those beyond the tolerance not held; and with
// connections enough, everything is told.
func TestVerdictsAreRight(t *testing.T) {
	all := judgements()
	rows := make([]Judged, len(all))
	each(len(all), func(i int) { rows[i] = all[i].run(100, 1) })
	judgeAll(rows)
	for _, r := range rows {
		if r.Finding == TooMany {
			t.Errorf("%s, %s, n = %d: %d of %d are wrong", r.Claim, r.Of, r.N, r.Wrong, r.Runs)
		}
	}
	seen := map[string]Judged{}
	for _, r := range rows {
		seen[r.Claim+"/"+r.Of] = r // the last one has the most connections
	}
	for _, c := range []struct {
		of    string
		right func(Judged) int
		seems lab.Pattern
	}{
		{Even(2).Name, func(r Judged) int { return r.Held }, lab.LooksRandomOrHash},
		{Turns(2, 1).Name, func(r Judged) int { return r.Held }, lab.LooksRoundRobin},
		{Cascade().Name, func(r Judged) int { return r.Refuted }, lab.LooksPositional},
		{Kubernetes().Name, func(r Judged) int { return r.Refuted }, lab.LooksUneven},
		{Split(0.65).Name, func(r Judged) int { return r.Refuted }, lab.LooksUneven},
		{OnlyOne(2).Name, func(r Judged) int { return r.Refuted }, lab.LooksSingleOrSticky},
	} {
		r, ok := seen["shares within 20%/"+c.of]
		if !ok || c.right(r) != r.Runs || r.Seems != c.seems {
			t.Errorf("%s: %+v", c.of, r)
		}
	}
}
