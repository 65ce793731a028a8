package claim

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// pattern is what an order looks like.
type pattern string

const (
	looksRandom pattern = "looks random"
	looksTurns  pattern = "looks like round robin"
	looksSticky pattern = "sticks: neighbours go to the same instance"
	looksOpen   pattern = "cannot tell"
)

// patternOf names an order by where the interval of its rate of repeats lies.
func patternOf(o stat.Order, in stat.Interval, sequence []int32) pattern {
	chance := o.Expected / float64(o.Pairs)
	turns := leastRate(sequence)
	switch {
	case in.High < (turns+chance)/2 && o.PFew < Alpha:
		return looksTurns
	case in.Low > (1+chance)/2 && o.PMany < Alpha:
		return looksSticky
	case in.Low >= (turns+chance)/2 && in.High <= (1+chance)/2:
		return looksRandom
	case float64(o.Repeats) <= turns*float64(o.Pairs) && o.PFew < Alpha:
		return looksTurns // as few as there can be, with so many replicas that the interval is wide
	}
	return looksOpen
}

// leastRate is the least possible rate of repeats: above 0 only where one
// instance has more than half of the connections.
func leastRate(sequence []int32) float64 {
	counts := map[int32]int{}
	most := 0
	for _, i := range sequence {
		counts[i]++
		most = max(most, counts[i])
	}
	n := len(sequence)
	return float64(max(2*most-n-1, 0)) / float64(n-1)
}

// seen is an order with its name.
type seen struct {
	stat.Order
	pattern pattern
	turns   float64 // the least possible rate of repeats
}

func (p seen) decide(v *lab.Verdict, e lab.Evidence) {
	switch e.Null {
	case lab.Random, lab.Hash:
		p.againstChance(v)
	case lab.RoundRobin:
		p.againstTurns(v, e)
	case lab.Single:
		v.Outcome = lab.Refuted
		v.Sentence = "several instances answered, where one should get everything: " + p.figures()
	default:
		v.Outcome = lab.Unsupported
		v.Sentence = fmt.Sprintf("the strategy promises no order; this one: %s: %s", p.pattern, p.figures())
	}
}

// againstChance: as with shares, an order near to chance is held even where a
// great many connections show that it is not exactly chance.
func (p seen) againstChance(v *lab.Verdict) {
	v.Alpha = Alpha
	switch {
	case p.pattern == looksRandom:
		v.Outcome, v.Sentence = lab.Held, "looks random, as meant: "+p.figures()
	case p.P < Alpha:
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("not random: %s: %s", p.lean(), p.figures())
	default:
		v.NeedN = p.need(v.N)
		v.Sentence = "cannot tell: too few connections to tell chance from turns" + wouldTell(v.NeedN) + ": " + p.figures()
	}
}

// againstTurns: with several workers, or connections that overtake each other,
// turns need not show, so that their absence refutes nothing.
func (p seen) againstTurns(v *lab.Verdict, e lab.Evidence) {
	switch {
	case p.pattern == looksTurns:
		v.Outcome, v.Sentence = lab.Held, "looks like round robin, as meant: "+p.figures()
	case e.Plan.Concurrency > 1:
		v.Sentence = "cannot tell: no turns are seen, but connections can overtake each other: " + p.figures()
	case e.Workers != 1:
		v.Sentence = "cannot tell: no turns are seen, but several workers may each keep their own: " + p.figures()
	case p.pattern == looksOpen:
		v.NeedN = p.need(v.N)
		v.Sentence = "cannot tell: too few connections to tell turns from chance" + wouldTell(v.NeedN) + ": " + p.figures()
	default:
		v.Outcome = lab.Refuted
		v.Sentence = fmt.Sprintf("not in turn: %s: %s", p.pattern, p.figures())
	}
}

// need is how many connections of random order have an interval of the rate of
// repeats that lies between those of turns and of always the same, with [Power];
// 0 where that is no more than there are, so that the rate itself is in between.
func (p seen) need(n int) int {
	chance := p.Expected / float64(p.Pairs)
	room := min(chance-p.turns, 1-chance) / 2
	z := distuv.UnitNormal.Quantile((1+Confidence)/2) + distuv.UnitNormal.Quantile((1+Power)/2)
	need := z * z * chance * (1 - chance) / (room * room)
	if !(need > float64(n) && need <= lab.MaxRequests) {
		return 0
	}
	return int(math.Ceil(need))
}

// lean says in which direction an order differs from chance.
func (p seen) lean() string {
	if p.pattern == looksTurns || p.pattern == looksSticky {
		return string(p.pattern)
	}
	if p.PFew < p.PMany {
		return "fewer repeats than chance gives"
	}
	return "more repeats than chance gives"
}

func (p seen) figures() string {
	return fmt.Sprintf("the instance before answered again %s of %s times, where chance gives %.3g (%s)",
		thousands(p.Repeats), thousands(p.Pairs), p.Expected, pWords(p.P))
}
