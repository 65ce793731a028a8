package claim

import (
	"errors"
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// Order claims that the order in which instances answer fits the strategy. It
// looks at neighbours: how often the instance that answers a connection also
// answered the one before. Chance alone gives that a known rate; turns give
// the least possible number (0 unless one replica has more than half of the
// connections); something that sticks gives many.
//
// What is seen is named by where the interval of the rate lies: the middle
// between turns and chance, and that between chance and always the same,
// divide the three. Random choice and hashes must look like chance, round
// robin like turns; nothing else promises an order.
type Order struct{}

// Name implements [lab.Claim].
func (Order) Name() string { return "the order of the instances fits the strategy" }

// Judge implements [lab.Claim]. The effect is the rate of repeats, the
// statistic that of the runs test.
func (c Order) Judge(e lab.Evidence) lab.Verdict {
	sequence, instances := sequenceOf(e)
	v := newVerdict(c, len(sequence))
	o, err := stat.RunsTest(sequence, e.Plan.Seed)
	switch {
	case errors.Is(err, stat.ErrNoObservations):
		v.Sentence = "cannot tell: it takes at least two connections whose instance is known"
		return v
	case err != nil:
		return judgeOne(v, e, instances)
	}
	v.Test, v.Statistic, v.PValue = o.Test, number(o.Z), number(o.P)
	v.Effect, v.EffectName = number(float64(o.Repeats)/float64(o.Pairs)), "rate of repeats at lag one"
	in := stat.Wilson(o.Repeats, o.Pairs, Confidence)
	v.Interval, v.Confidence = &[2]float64{in.Low, in.High}, Confidence
	v.Warnings = append(v.Warnings, o.Warnings...)
	if e.Plan.Concurrency > 1 {
		v.Warnings = append(v.Warnings,
			"connections under way together can overtake each other, which hides turns; concurrency 1 keeps their order")
	}
	if e.Plan.UntilSettled {
		v.Warnings = append(v.Warnings, "the load ended by what was seen of the shares: the p-value of the order is that of a number fixed beforehand")
	}
	p := seen{Order: o, pattern: patternOf(o, in, sequence), turns: leastRate(sequence)}
	p.decide(&v, e)
	return v
}

// judgeOne judges an order in which all connections went to one instance.
func judgeOne(v lab.Verdict, e lab.Evidence, instances []string) lab.Verdict {
	what := fmt.Sprintf("looks like one instance only: %s answered all of %s", instances[0], count(v.N, "connection"))
	v.Test = "count of the instances that answered"
	f := fleetOf(e.Measurement)
	switch {
	case e.Null == lab.Single || len(f.names) < 2:
		v.Outcome, v.Sentence = lab.Held, what+", as meant"
	case e.Null != lab.Random && e.Null != lab.Hash && e.Null != lab.RoundRobin:
		v.Outcome, v.Sentence = lab.Unsupported, what+"; the strategy promises no order"
	case f.weighed && silence(f.expected, len(f.names)-1, v.N) < Alpha:
		v.Outcome, v.Alpha = lab.Refuted, Alpha
		v.PValue = number(silence(f.expected, len(f.names)-1, v.N))
		v.Sentence = what + ", where connections should be spread " + nullWords(e.Null)
	default:
		if f.weighed {
			v.NeedN = speakers(f.expected, len(f.names)-1)
		}
		v.Sentence = "cannot tell: " + what + ", which may be chance" + wouldTell(v.NeedN)
	}
	return v
}

// sequenceOf numbers the instances of the connections in the order in which
// these were due.
func sequenceOf(e lab.Evidence) (sequence []int32, instances []string) {
	index := map[string]int32{}
	sequence = make([]int32, 0, e.Measurement.Connections)
	for s := range connections(e.Samples) {
		i, ok := index[s.Instance]
		if !ok {
			i = int32(len(instances))
			index[s.Instance] = i
			instances = append(instances, s.Instance)
		}
		sequence = append(sequence, i)
	}
	return sequence, instances
}
