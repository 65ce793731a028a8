package compare

import (
	"slices"
	"strings"
	"testing"
)

// surveyed is a comparison of three arms and a baseline: nft is the fastest,
// dnat the next, nginx the slowest, and each pair can be told apart. All traits
// of all are yes, and nothing is lost.
func surveyed() *Comparison {
	c := &Comparison{Baselines: []string{"direct"}, Metrics: AllMetrics()}
	names := []string{"direct", "nginx", "nft", "dnat"}
	latency := map[string]float64{"direct": 50e3, "nft": 55e3, "dnat": 60e3, "nginx": 110e3}
	for i, name := range names {
		c.Arms = append(c.Arms, Arm{Name: name, Baseline: name == "direct", Replicas: 2})
		for _, m := range []string{LatencyP50, CPU} {
			c.Summaries = append(c.Summaries, Summary{Arm: name, Metric: m, Value: Estimate{Median: latency[name], N: 10},
				Ratios: map[string]Estimate{"direct": {Median: latency[name] / 50e3, N: 10}}})
			for _, other := range names[:i] {
				c.Pairs = append(c.Pairs, Pair{First: other, Second: name, Metric: m, Order: FirstBetter})
			}
		}
		for _, k := range Traits() {
			found := Trait{Arm: name, Name: k.Name, Answer: Yes, Number: new(0.0)}
			if k.Name == TraitWarned {
				found.Answer = No
			}
			c.Traits = append(c.Traits, found)
		}
	}
	return c
}

// set changes what was found of an arm.
func (c *Comparison) set(arm, trait string, change func(*Trait)) {
	for i := range c.Traits {
		if c.Traits[i].Arm == arm && c.Traits[i].Name == trait {
			change(&c.Traits[i])
		}
	}
}

func adviceFor(t *testing.T, c *Comparison, situation string) Advice {
	t.Helper()
	all := Advise(c)
	i := slices.IndexFunc(all, func(a Advice) bool { return a.For == situation })
	if i < 0 {
		t.Fatalf("there is no advice for %q", situation)
	}
	return all[i]
}

func TestAdviceFollowsTheData(t *testing.T) {
	const udp = "UDP"
	for _, x := range []struct {
		name   string
		change func(*Comparison)
		arms   []string
		says   string
	}{
		{"as it is", func(*Comparison) {}, []string{"nft", "dnat", "nginx"}, "Use nft (1.10 times direct). The next is dnat (1.20 times direct)."},
		{"the best cannot", func(c *Comparison) { c.set("nft", TraitUDP, func(f *Trait) { f.Answer = No }) },
			[]string{"dnat", "nginx"}, "Use dnat"},
		{"none can", func(c *Comparison) {
			for _, arm := range []string{"nft", "dnat", "nginx"} {
				c.set(arm, TraitUDP, func(f *Trait) { f.Answer = No })
			}
		}, nil, "None of the strategies"},
		{"it cannot be told of the best", func(c *Comparison) { c.set("nft", TraitUDP, func(f *Trait) { f.Answer = Unknown }) },
			[]string{"dnat", "nginx"}, "found both ways: nft"},
		{"the best was found both ways", func(c *Comparison) {
			c.Traits = append(c.Traits, Trait{Arm: "nft", Name: TraitUDP, Answer: No})
		}, []string{"dnat", "nginx"}, "found both ways: nft"},
		{"the best is skewed", func(c *Comparison) { c.set("nft", TraitBalance, func(f *Trait) { f.Answer = No }) },
			[]string{"dnat", "nginx"}, "Use dnat"},
		{"whether the best is skewed cannot be told", func(c *Comparison) { c.set("nft", TraitBalance, func(f *Trait) { f.Answer = Unknown }) },
			[]string{"nft", "dnat", "nginx"}, "Use nft"},
		{"the best comes with a warning", func(c *Comparison) { c.set("nft", TraitWarned, func(f *Trait) { f.Answer = Yes }) },
			[]string{"dnat", "nginx"}, "Use dnat"},
		{"nothing can be told apart", func(c *Comparison) {
			for i := range c.Pairs {
				c.Pairs[i].Order = CannotTell
			}
		}, []string{"nft", "dnat", "nginx"}, "Any of these: they cannot be told apart here. nft, dnat, nginx."},
		{"the best was not measured", func(c *Comparison) {
			c.Traits = slices.DeleteFunc(c.Traits, func(f Trait) bool { return f.Arm == "nft" })
		}, []string{"dnat", "nginx"}, "Use dnat"},
		{"the best has no value", func(c *Comparison) {
			c.Summaries = slices.DeleteFunc(c.Summaries, func(s Summary) bool { return s.Arm == "nft" })
		}, []string{"dnat", "nginx"}, "Use dnat"},
		{"the best two cannot be told apart", func(c *Comparison) {
			for i, p := range c.Pairs {
				if p.First == "nft" && p.Second == "dnat" {
					c.Pairs[i].Order = CannotTell
				}
			}
		}, []string{"nft", "dnat", "nginx"}, "Not told from it: dnat. The next is nginx"},
	} {
		c := surveyed()
		x.change(c)
		a := adviceFor(t, c, udp)
		if !slices.Equal(a.Arms, x.arms) || !strings.Contains(a.Sentence, x.says) {
			t.Errorf("%s: %v, %q; want %v, %q", x.name, a.Arms, a.Sentence, x.arms, x.says)
		}
	}
}

func TestAdviceByQuantities(t *testing.T) {
	c := surveyed()
	c.set("nft", TraitKill, func(f *Trait) { f.Number = new(0.48) })
	c.set("dnat", TraitKill, func(f *Trait) { f.Number = new(survives) })
	if a := adviceFor(t, c, "Replicas crash"); !slices.Equal(a.Arms, []string{"dnat", "nginx"}) {
		t.Errorf("%v: %s", a.Arms, a.Sentence)
	}
	c.set("dnat", TraitChange, func(f *Trait) { f.Number = new(0.001) })
	if a := adviceFor(t, c, "Replicas come and go"); !slices.Equal(a.Arms, []string{"nft", "nginx"}) {
		t.Errorf("%v: %s", a.Arms, a.Sentence)
	}
}

func TestThereIsNoAdviceWithoutTraits(t *testing.T) {
	c := surveyed()
	c.Traits = nil
	if all := Advise(c); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

func TestEveryAdviceSaysItsRule(t *testing.T) {
	for _, a := range Advise(surveyed()) {
		if !strings.Contains(a.Rule, "; then the lowest ") || !strings.HasPrefix(a.Sentence, "Use nft") && !strings.HasPrefix(a.Sentence, "None") {
			t.Errorf("%s: %q, by %q", a.For, a.Sentence, a.Rule)
		}
	}
}

// What is faster on an emulator is no advice; what fits by what was seen is.
func TestNoAdviceFollowsFromEmulatedSpeed(t *testing.T) {
	c := surveyed()
	c.Environment.Emulated = true
	c.set("nginx", TraitUDP, func(t *Trait) { t.Answer = No })
	if a := adviceFor(t, c, "The least latency on the path"); len(a.Arms) > 0 {
		t.Errorf("by speed alone: %+v", a)
	}
	a := adviceFor(t, c, "UDP")
	if !slices.Equal(a.Arms, []string{"nft", "dnat"}) || strings.Contains(a.Sentence, "Use ") || strings.Contains(a.Rule, "lowest") {
		t.Errorf("of what fits: %+v", a)
	}
	c.Arms[2], c.Arms[3] = c.Arms[3], c.Arms[2] // as measured, nft is the fastest
	if a := adviceFor(t, c, "UDP"); !slices.Equal(a.Arms, []string{"dnat", "nft"}) {
		t.Errorf("ordered by speed: %+v", a)
	}
}
