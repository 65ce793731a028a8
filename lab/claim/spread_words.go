package claim

import (
	"fmt"
	"math"

	"github.com/portlab/portlab/lab"
)

// held words a balanced outcome.
func (s spread) held(v *lab.Verdict) {
	var off float64
	for i, in := range s.intervals {
		off = max(off, s.expected[i]-in.Low, in.High-s.expected[i])
	}
	v.Outcome = lab.Held
	v.Sentence = fmt.Sprintf("balanced: every share within %s of %s with 95%% confidence; %s",
		points(off), s.meant(), s.visible())
	if s.fit.P < Alpha {
		v.Sentence = fmt.Sprintf("balanced within %s, though not exactly (%s): every share within %s of %s with 95%% confidence",
			percent(s.tolerance), pWords(s.fit.P), points(off), s.meant())
	}
}

// skewed words a refutation by the share that is furthest off.
func (s spread) skewed(why string) string {
	i := s.furthest()
	return fmt.Sprintf("skewed: %s got %s where %s is its share (%s)", s.names[i], percent(s.share(i)), percent(s.expected[i]), why)
}

// open words what is neither shown nor refuted.
func (s spread) open(v *lab.Verdict) {
	v.NeedN = s.need()
	i := s.furthest()
	in := s.intervals[i]
	v.Sentence = fmt.Sprintf("cannot tell: %s got %s where %s is its share, and its true share may be anything from %s to %s with 95%% confidence",
		s.names[i], percent(s.share(i)), percent(s.expected[i]), percent(in.Low), percent(in.High))
	if v.NeedN == 0 {
		v.Sentence += "; no number of connections that a run may have would tell"
		return
	}
	draws := "connections"
	if s.evidence.Null == lab.HashAddress {
		draws = "client addresses (--clients)"
	}
	v.Sentence += fmt.Sprintf("; %s %s would tell", about(v.NeedN), draws)
}

func (s spread) meant() string {
	if s.equal {
		return "equal"
	}
	return "what its weight says"
}

// visible says which skew so many connections show with [Power], and which
// they would miss as often, by the test at the level of the intervals.
func (s spread) visible() string {
	i := s.smallest()
	seen, ok := s.law.Detectable(i, s.n, 1-Confidence, Power)
	if !ok {
		return fmt.Sprintf("%s are too few to show any skew", count(s.n, "connection"))
	}
	missed, _ := s.law.Detectable(i, s.n, 1-Confidence, 1-Power)
	e := s.expected[i]
	if s.equal && len(s.counts) == 2 {
		return fmt.Sprintf("%s would show a %s split (80%% power), not a %s one",
			count(s.n, "connection"), split(seen), split(missed))
	}
	who := "one replica"
	if !s.equal {
		who = s.names[i]
	}
	return fmt.Sprintf("%s would show %s at %s instead of %s (80%% power), not at %s",
		count(s.n, "connection"), who, percent(seen), percent(e), percent(missed))
}

// smallest is the instance with the least expected share.
func (s spread) smallest() int {
	least := 0
	for i, e := range s.expected {
		if e < s.expected[least]-1e-12 {
			least = i
		}
	}
	return least
}

// split writes two shares such as 58/42, with as many decimals as it takes to
// tell them from 50/50.
func split(share float64) string {
	decimals := 0
	if off := 100 * (share - 0.5); off < 2 {
		decimals = int(math.Ceil(-math.Log10(max(off, 1e-6)))) + 1
	}
	form := fmt.Sprintf("%%.%df", decimals)
	return fmt.Sprintf(form, 100*share) + "/" + fmt.Sprintf(form, 100*(1-share))
}

// workerWords says whose turns are meant.
func (s spread) workerWords() string {
	switch w := s.evidence.Workers; {
	case w == 1:
		return "one worker in turn"
	case w > 1:
		return fmt.Sprintf("%d workers, each in turn", w)
	}
	return "a single worker in turn (how many there are is unknown)"
}
