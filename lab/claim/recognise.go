package claim

import (
	"fmt"
	"math"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// Recognise names what the balancer seems to do, by what was seen alone: the
// strategy's null is not looked at. The rules are gone through in the order of
// [rules], and the first that applies names it. Each asks for evidence that
// chance gives in fewer than [Alpha] of runs, but for the last: what fits
// random choice in every respect is called that, or a hash where nothing tells
// the two apart.
func Recognise(e lab.Evidence) lab.Behaviour {
	o := observe(e)
	if o.n == 0 {
		return lab.Behaviour{Name: lab.LooksOpen, Sentence: "no connection was answered by a known instance"}
	}
	for _, rule := range rules {
		if b, applies := rule(o); applies {
			return b
		}
	}
	return lab.Behaviour{Name: lab.LooksOpen, Sentence: fmt.Sprintf("%s fit several ways to spread them", count(o.n, "connection"))}
}

// rules name a behaviour, the strongest pattern first.
var rules = []func(observed) (lab.Behaviour, bool){
	oneInstance, stickyBySource, inTurn, inRuns, byPosition, uneven, tooEven, byTuple, byChance,
}

// observed is what the rules look at.
type observed struct {
	fleet
	seed    uint64
	homes   homes
	law     stat.Multinomial
	fit     stat.Fit
	lawful  bool // there are a law and a fit
	ordered bool // there is an order, and it has this pattern
	order   seen
	again   again // tuples that were used more than once
}

func observe(e lab.Evidence) observed {
	o := observed{fleet: fleetOf(e.Measurement), seed: e.Plan.Seed}
	if o.n == 0 {
		return o
	}
	o.look(e)
	law, err := stat.NewMultinomial(o.expected)
	if err != nil {
		return o
	}
	// The counts fit the fleet by construction, and there are some.
	if o.fit, err = law.Fit(o.counts, o.seed); err == nil {
		o.law, o.lawful = law, true
	}
	return o
}

// look reads what only the samples tell: addresses and order.
func (o *observed) look(e lab.Evidence) {
	o.homes, o.again = homesOf(e.Samples), againOf(e.Samples)
	sequence, _ := sequenceOf(e)
	order, err := stat.RunsTest(sequence, o.seed)
	if err != nil {
		return
	}
	in := stat.Wilson(order.Repeats, order.Pairs, Confidence)
	o.order, o.ordered = seen{Order: order, pattern: patternOf(order, in, sequence), turns: leastRate(sequence)}, true
}

// oneInstance: chance would give so many connections to one replica in fewer
// than Alpha of runs. One client address, or few, cannot tell it from a
// balancer that sticks to addresses.
func oneInstance(o observed) (lab.Behaviour, bool) {
	var who string
	answered := 0
	for i, c := range o.counts {
		if c > 0 {
			who, answered = o.names[i], answered+1
		}
	}
	if answered != 1 {
		return lab.Behaviour{}, false
	}
	all := fmt.Sprintf("%s answered all of %s", who, count(o.n, "connection"))
	switch {
	case len(o.names) == 1:
		return lab.Behaviour{Name: lab.LooksSingle, Sentence: "there is no other replica, and " + all}, true
	case !o.weighed || silence(o.expected, len(o.names)-1, o.n) >= Alpha:
		return lab.Behaviour{Name: lab.LooksOpen, Sentence: all + ", which may be chance"}, true
	}
	var together float64 // the probability that all addresses stick to the same instance
	for _, share := range o.expected {
		together += math.Pow(share, float64(len(o.homes.all)))
	}
	if together < Alpha {
		return lab.Behaviour{Name: lab.LooksSingle, Sentence: fmt.Sprintf("%s from %s", all, clientWords(len(o.homes.all)))}, true
	}
	return lab.Behaviour{Name: lab.LooksSingleOrSticky, Sentence: all +
		", and more client addresses (--clients) would tell"}, true
}

// stickyBySource: every address kept its instance.
func stickyBySource(o observed) (lab.Behaviour, bool) {
	h := o.homes
	if h.strayed > 0 || len(h.all) < 2 || len(h.counts) < 2 {
		return lab.Behaviour{}, false
	}
	p := h.agreement()
	return lab.Behaviour{Name: lab.LooksSticky, Sentence: fmt.Sprintf("each of %s kept its instance (by chance %s)",
		clientWords(len(h.all)), pWords(p))}, p < Alpha
}

// inTurn: neighbours differ more often than halfway between chance and turns.
func inTurn(o observed) (lab.Behaviour, bool) {
	return lab.Behaviour{Name: lab.LooksRoundRobin, Sentence: o.order.figures()},
		o.ordered && o.order.pattern == looksTurns
}

// inRuns: neighbours agree more often than halfway between chance and always.
func inRuns(o observed) (lab.Behaviour, bool) {
	return lab.Behaviour{Name: lab.LooksInRuns, Sentence: o.order.figures()},
		o.ordered && o.order.pattern == looksSticky
}

// uneven: the counts are not those of the expected shares, nor near to them.
func uneven(o observed) (lab.Behaviour, bool) {
	if !o.lawful || o.fit.P >= Alpha {
		return lab.Behaviour{}, false
	}
	s := spread{fleet: o.fleet, fit: o.fit, tolerance: DefaultTolerancePercent / 100.0}
	s.intervals = stat.SimultaneousShares(o.counts, Confidence)
	i := s.furthest()
	return lab.Behaviour{Name: lab.LooksUneven, Sentence: fmt.Sprintf("%s got %s where %s is its share (%s)",
		o.names[i], percent(s.share(i)), percent(o.expected[i]), pWords(o.fit.P))}, !s.within()
}

// tooEven: chance is so even in fewer than Alpha of runs.
func tooEven(o observed) (lab.Behaviour, bool) {
	if !o.lawful || o.fit.P < 0.97 { // not nearly too even: spare the computation
		return lab.Behaviour{}, false
	}
	p, err := o.law.TooEven(o.counts, o.seed)
	return lab.Behaviour{Name: lab.LooksTooEven, Sentence: fmt.Sprintf(
		"by chance %s: so are several workers that each take turns, and a balancer that counts connections", pWords(p))}, err == nil && p < Alpha
}

// byTuple: pairs of client and target that came again tell a hash from chance.
func byTuple(o observed) (lab.Behaviour, bool) {
	a := o.again
	switch {
	case !o.lawful || a.times == 0:
		return lab.Behaviour{}, false
	case a.strayed > 0:
		return lab.Behaviour{Name: lab.LooksRandom, Sentence: fmt.Sprintf(
			"the counts fit, and of %s from an address and port that had been used before %s got another instance, which a hash would not do",
			count(a.times, "connection"), thousands(a.strayed))}, true
	}
	p := math.Pow(o.collision(), float64(a.times))
	return lab.Behaviour{Name: lab.LooksHash, Sentence: fmt.Sprintf(
		"the counts fit, and each of %s from an address and port that had been used before got the same instance again (by chance %s)",
		count(a.times, "connection"), pWords(p))}, p < Alpha
}

// collision is the probability that two connections of random choice get the
// same instance, by the shares seen.
func (o observed) collision() float64 {
	var p float64
	for _, c := range o.counts {
		share := float64(c) / float64(o.n)
		p += share * share
	}
	return p
}

// byChance: counts and order fit random choice. Where the order is not known,
// the counts must at least be enough for it to show.
func byChance(o observed) (lab.Behaviour, bool) {
	b := lab.Behaviour{Name: lab.LooksRandomOrHash, Sentence: fmt.Sprintf("the counts fit chance (%s)", pWords(o.fit.P))}
	if !o.lawful {
		return b, false
	}
	if o.ordered {
		b.Sentence += ", and so does the order: " + o.order.figures()
		return b, o.order.pattern == looksRandom
	}
	b.Sentence += "; their order is not known"
	return b, len(o.fit.Warnings) == 0
}
