package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// situation is one in which somebody asks which to use.
type situation struct {
	words string
	wants []want
	by    string // the metric whose best median wins
}

// want is what an arm must have been found to have.
type want struct {
	trait string
	words string // the rule, for people
	has   func(Trait) bool
}

func answered(trait, answer, words string) want {
	return want{trait, words, func(t Trait) bool { return t.Answer == answer }}
}

// atMost wants a quantity that is no more than so much.
func atMost(trait string, most float64, words string) want {
	return want{trait, words, func(t Trait) bool { return t.Number != nil && *t.Number <= most }}
}

// survives is the share of requests that an arm may lose after a kill and
// still pass for one that survives it.
const survives = 0.05

// always is wanted in every situation: what is shown to be skewed, or what its
// own author warns of, is no advice.
var always = []want{
	{TraitBalance, "not skewed", func(t Trait) bool { return t.Answer != No }},
	answered(TraitWarned, No, "without a warning"),
}

func situations() []situation {
	return []situation{
		{"The least latency on the path", nil, LatencyP50},
		{"The least processor time", nil, CPU},
		{"No root on the host", []want{answered(TraitRoot, No, "needs no root")}, LatencyP50},
		{"Nothing in the application may change", []want{answered(TraitApplication, No, "needs nothing of the application")}, LatencyP50},
		{"Neither root nor a change of the application", []want{
			answered(TraitRoot, No, "needs no root"), answered(TraitApplication, No, "needs nothing of the application")}, LatencyP50},
		{"The client's address must be seen", []want{answered(TraitAddress, Yes, "client address kept")}, LatencyP50},
		{"Replicas come and go", []want{atMost(TraitChange, 0, "no request lost in a change")}, LatencyP50},
		{"Replicas crash", []want{atMost(TraitKill, survives, "at most 5% of the requests lost after a kill")}, LatencyP50},
		{"Clients that keep their connections must be spread", []want{answered(TraitKeepAlive, Yes, "more than one replica answers on a kept connection")}, LatencyP50},
		{"UDP", []want{answered(TraitUDP, Yes, "UDP answered")}, LatencyP50},
		{"HTTP/2 and WebSocket", []want{answered(TraitHTTP2, Yes, "HTTP/2 answered"), answered(TraitWebSocket, Yes, "WebSocket answered")}, LatencyP50},
		{"Callers on the host itself and in the replicas", []want{
			answered(TraitLocalhost, Yes, "answers on localhost"), answered(TraitHairpin, Yes, "answers a replica")}, LatencyP50},
		{"IPv6", []want{answered(TraitIPv6, Yes, "IPv6 answered")}, LatencyP50},
	}
}

// Advise derives which arm to use in a handful of situations. An arm is a
// candidate if it is no baseline, was found to have every trait that the
// situation wants, without contradiction, was not shown to be skewed, and does not
// come with a warning. Of the candidates the one with the best median of a metric wins, together with all
// that cannot be told from it ([CannotTell]). What was not measured is not
// advised. On an emulated machine no arm is better than another ([Metric.HardwareBound]):
// the advice names the candidates, in the order of the comparison.
func Advise(c *Comparison) []Advice {
	if len(c.Traits) == 0 {
		return []Advice{}
	}
	all := []Advice{}
	for _, s := range situations() {
		all = append(all, c.advise(s))
	}
	return all
}

func (c *Comparison) advise(s situation) Advice {
	m, known := c.metricOf(s.by)
	wants := slices.Concat(s.wants, always)
	emulated := c.Environment.Emulated && m.HardwareBound()
	a := Advice{For: s.words, Arms: []string{}, Rule: ruleOf(wants, m, s.by, emulated)}
	var in, doubtful []string
	for _, arm := range c.Arms {
		switch fits, doubt := c.fits(arm, wants); {
		case doubt:
			doubtful = append(doubtful, arm.Name)
		case fits && c.summarized(arm.Name, s.by).Value.N > 0:
			in = append(in, arm.Name)
		}
	}
	switch {
	case !known || len(in) == 0:
		a.Sentence = "None of the strategies that were measured fits."
	case emulated && len(s.wants) == 0:
		a.Sentence = "Nothing is advised, since the processor was emulated."
	case emulated:
		a.Arms, a.Sentence = in, fmt.Sprintf("Not ranked, since the processor was emulated: %s.", strings.Join(in, ", "))
	default:
		slices.SortStableFunc(in, c.better(m))
		a.Arms, a.Sentence = in, c.sentence(in, m)
	}
	if len(doubtful) > 0 {
		a.Sentence += fmt.Sprintf(" Left out, since it could not be told or was found both ways: %s.", strings.Join(doubtful, ", "))
	}
	return a
}

func (c *Comparison) metricOf(name string) (Metric, bool) {
	i := slices.IndexFunc(c.Metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return c.Metrics[i], true
}

func ruleOf(wants []want, m Metric, by string, emulated bool) string {
	var words []string
	for _, w := range wants {
		words = append(words, w.words)
	}
	if emulated {
		return strings.Join(words, ", ") + "; in no order."
	}
	best := "lowest"
	if m.Higher {
		best = "highest"
	}
	return fmt.Sprintf("%s; then the %s %s in the rounds.", strings.Join(words, ", "), best, cmp.Or(m.Title, by))
}

// fits says whether an arm was found to have all that is wanted; doubt, that
// something could not be told or was found both ways, and nothing else stands
// in the way.
func (c *Comparison) fits(a Arm, wants []want) (fits, doubt bool) {
	if a.Baseline || a.Absent != "" {
		return false, false
	}
	for _, w := range wants {
		found := c.TraitsOf(a.Name, w.trait)
		switch {
		case len(found) == 0:
			return false, false // it was not measured
		case Contradicted(found):
			doubt = true
		case w.has(found[0]):
		case found[0].Answer == Unknown:
			doubt = true
		default:
			return false, false
		}
	}
	return !doubt, doubt
}

// better compares arms by the median of a metric.
func (c *Comparison) better(m Metric) func(a, b string) int {
	return func(a, b string) int {
		return m.Compare(c.summarized(a, m.Name).Value.Median, c.summarized(b, m.Name).Value.Median)
	}
}

// sentence names the best of arms in order, and what cannot be told from it.
func (c *Comparison) sentence(in []string, m Metric) string {
	best := []string{in[0]}
	for _, arm := range in[1:] {
		if c.tied(in[0], arm, m.Name) {
			best = append(best, arm)
		}
	}
	if len(best) == len(in) && len(in) > 1 {
		return fmt.Sprintf("Any of these: they cannot be told apart here. %s.", strings.Join(in, ", "))
	}
	s := fmt.Sprintf("Use %s%s.", best[0], c.cost(best[0], m.Name))
	if len(best) > 1 {
		s += fmt.Sprintf(" Not told from it: %s.", strings.Join(best[1:], ", "))
	}
	for _, arm := range in {
		if !slices.Contains(best, arm) {
			return s + fmt.Sprintf(" The next is %s%s.", arm, c.cost(arm, m.Name))
		}
	}
	return s
}

// cost is an arm's ratio to the first baseline, in words; empty without one.
func (c *Comparison) cost(arm, metric string) string {
	if len(c.Baselines) == 0 {
		return ""
	}
	e, ok := c.summarized(arm, metric).Ratios[c.Baselines[0]]
	if !ok || e.N == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.2f times %s%s)", e.Median, c.Baselines[0], within(e))
}

// tied says that two arms cannot be told apart in a metric.
func (c *Comparison) tied(a, b, metric string) bool {
	for _, p := range c.Pairs {
		if p.Metric == metric && (p.First == a && p.Second == b || p.First == b && p.Second == a) {
			return p.Order == CannotTell
		}
	}
	return false
}
