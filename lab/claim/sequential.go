package claim

import (
	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// lookEvery is the part by which connections must have grown before they are
// looked at again. One may look at any time; this only saves work.
const lookEvery = 0.01

// tally counts connections one by one and says when they settle whether the
// shares are as claimed, by confidence sequences: one may look as often as one
// likes, and stop. Balanced rests on [Confidence] and skewed on [Alpha], each
// over all looks together.
type tally struct {
	null   lab.Null
	index  map[string]int // of each replica
	counts []int
	n      int
	next   int // n at the next look

	balanced, skewed stat.ShareSequence
	decision         stat.Decision

	answered lab.Bitset // connections
	tuples   tuples
	repeated int // connections that a hash sent the way of one before them
}

func newTally(names []string, expected []float64, null lab.Null, tolerance float64) (*tally, error) {
	law, err := stat.NewMultinomial(expected)
	if err != nil {
		return nil, err
	}
	t := &tally{null: null, index: map[string]int{}, counts: make([]int, len(names)), tuples: tuples{}, next: 1}
	for i, name := range names {
		t.index[name] = i
	}
	if t.balanced, err = stat.NewShareSequence(law, tolerance, Confidence); err != nil {
		return nil, err
	}
	t.skewed, err = stat.NewShareSequence(law, tolerance, 1-Alpha)
	return t, err
}

// settled counts a sample and says whether those so far settle the claim.
// Samples must come in the order in which they were due: who is slow to answer
// would else be missing whenever the load ends.
func (t *tally) settled(s *lab.Sample) bool {
	if t.decision != stat.Undecided {
		return true
	}
	if !s.OK() || s.Instance == "" || !t.answered.Add(s.Connection) {
		return false
	}
	if hashes(t.null) && s.Local.IsValid() && !t.tuples.add(hashed(t.null, *s)) {
		t.repeated++
		return false
	}
	i, known := t.index[s.Instance]
	if !known {
		t.decision = stat.Skewed // no replica: that refutes the claim by itself
		return true
	}
	t.counts[i]++
	if t.n++; t.n < t.next {
		return false
	}
	t.next = t.n + 1 + int(lookEvery*float64(t.n))
	t.look()
	return t.decision != stat.Undecided
}

func (t *tally) look() {
	if t.balanced.Decide(t.counts) == stat.Balanced {
		t.decision = stat.Balanced
	} else if t.skewed.Decide(t.counts) == stat.Skewed {
		t.decision = stat.Skewed
	}
}

// UntilSettled ends a load as soon as it is settled for each of the claims about
// shares whether it holds. Other claims do not count. It returns nil where no
// claim is about shares. It is for nulls with a multinomial law ([Sequential]).
func UntilSettled(claims []lab.Claim, null lab.Null) lab.Monitor {
	var about []Shares
	for _, c := range claims {
		if s, ok := c.(Shares); ok {
			about = append(about, s)
		}
	}
	if len(about) == 0 {
		return nil
	}
	return func(replicas []lab.Replica) func(lab.Sample) bool {
		f := fleetOf(lab.Measure(lab.SampleList{}, replicas))
		var all []*tally
		for _, s := range about {
			if t, err := newTally(f.names, f.expected, null, s.TolerancePercent/100); err == nil {
				all = append(all, t)
			}
		}
		due := queue{waiting: map[int]lab.Sample{}}
		return func(s lab.Sample) bool {
			if len(all) == 0 {
				return false
			}
			enough := false
			due.pass(s, func(s *lab.Sample) {
				enough = true
				for _, t := range all {
					enough = t.settled(s) && enough
				}
			})
			return enough
		}
	}
}

// Sequential says whether there is a sequential test of shares under a null:
// where each connection is a draw of its own.
func Sequential(null lab.Null) bool { return null == lab.Random || null == lab.Hash }

// queue puts samples into the order in which they were due.
type queue struct {
	next    int // number of the request that is next
	waiting map[int]lab.Sample
}

// pass takes a sample and passes on all whose turn has come.
func (q *queue) pass(s lab.Sample, on func(*lab.Sample)) {
	q.waiting[s.Request] = s
	for {
		s, ok := q.waiting[q.next]
		if !ok {
			return
		}
		delete(q.waiting, q.next)
		q.next++
		on(&s)
	}
}
