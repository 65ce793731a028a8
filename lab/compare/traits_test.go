package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// tricky is a strategy that rules UDP out, needs root and must be warned of.
type tricky struct{ fake }

func (tricky) Warning() string { return "it bites" }

func (tricky) Needs() lab.Needs {
	return lab.Needs{Root: true, NotFor: map[lab.Protocol]string{lab.UDP: "it copies bytes"}}
}

// stage is what a fake lab answers to the runs of a survey, by trait.
type stage struct {
	answers map[string]func(*lab.Result) error
	asked   []string
	kept    []string
	samples lab.SampleList
}

// whichTrait tells by a trial's shape what it is for.
func whichTrait(t *lab.Trial) string {
	switch {
	case len(t.Changes) == 1:
		return TraitKill
	case len(t.Changes) == 2:
		return TraitChange
	case t.Vantage == lab.Localhost:
		return TraitLocalhost
	case t.Vantage == lab.Peer:
		return TraitHairpin
	case t.Fleet.Family == lab.IPv6:
		return TraitIPv6
	case t.Plan.PerConnection != 1:
		return TraitKeepAlive
	case t.Plan.Protocol != lab.HTTP1:
		return string(t.Plan.Protocol)
	}
	return TraitAddress
}

func (s *stage) run(_ context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error) {
	trait := whichTrait(t)
	s.asked = append(s.asked, trait)
	r := &lab.Result{Requests: t.Plan.Requests, Faults: map[lab.Fault]int{}, ClientAddress: lab.AddressKept}
	if r.Requests == 0 {
		r.Requests = 750
	}
	if answer := s.answers[trait]; answer != nil {
		if err := answer(r); err != nil {
			return r, s.samples, err
		}
	}
	return r, s.samples, nil
}

// survey asks a stage all about one strategy of two replicas.
func (s *stage) survey(t *testing.T) (*Comparison, error) {
	t.Helper()
	plan := lab.DefaultPlan()
	plan.Requests = 1000
	cfg := Config{
		Run: s.run, Keep: func(folder string, _ *lab.Result, _ lab.Samples) error {
			s.kept = append(s.kept, folder)
			return nil
		},
		Trial:      lab.Trial{Plan: plan, Vantage: lab.External},
		Contenders: []Contender{{Strategy: tricky{fake{"dnat"}}, Replicas: 2}, {Strategy: fake{"direct"}, Replicas: 1}},
	}
	c := &Comparison{Arms: []Arm{{Name: "dnat", Replicas: 2}, {Name: "direct", Replicas: 1}}}
	return c, Survey(t.Context(), cfg, c)
}

// fails has k requests fail.
func fails(k int) func(*lab.Result) error {
	return func(r *lab.Result) error {
		r.Faults[lab.Refused] = k
		return nil
	}
}

// ends has the run end with an error.
func ends(err error) func(*lab.Result) error { return func(*lab.Result) error { return err } }

func TestTraitsFollowWhatTheirRunsShow(t *testing.T) {
	s := &stage{
		samples: lab.SampleList{{Connection: 0, Instance: "foo"}, {Connection: 0, Instance: "foo"}, {Connection: 1, Instance: "bar"}},
		answers: map[string]func(*lab.Result) error{
			TraitKill:      fails(killRequests / 2),
			TraitLocalhost: fails(7),
			TraitHTTP2:     fails(traitRequests),
			TraitHairpin:   ends(fmt.Errorf("%w: 198.19.0.1:80 within 3s", lab.ErrSilent)),
			TraitIPv6:      ends(&lab.UnsupportedError{What: "IPv6", Reason: "this kernel has none"}),
			TraitTCP:       ends(errors.New("the machine is on fire")),
			TraitWebSocket: func(r *lab.Result) error {
				r.Requests, r.Verdicts = 0, []lab.Verdict{{Outcome: lab.RefusedByHost, Sentence: "address already in use"}}
				return nil
			},
		},
	}
	c, err := s.survey(t)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][3]string{ // answer, value, part of the detail
		TraitKill:        {"", "50%", "200 of 400 requests failed after one of 2 replicas was killed (95% interval 45."},
		TraitChange:      {"", "0%", "0 of 750 requests failed while"},
		TraitAddress:     {Yes, "kept", "4 client addresses"},
		TraitLocalhost:   {No, "loses 3.5%", "7 of 200 requests failed: 7 refused."},
		TraitHairpin:     {No, No, "did not answer"},
		TraitKeepAlive:   {No, "pinned", "On no connection"},
		TraitHTTP2:       {No, No, "200 of 200"},
		TraitWebSocket:   {No, No, "address already in use"},
		TraitTCP:         {Unknown, Unknown, "on fire"},
		TraitUDP:         {No, No, "by design: it copies bytes"},
		TraitIPv6:        {Unknown, Unknown, "this kernel has none"},
		TraitRoot:        {Yes, Yes, "CAP_NET_ADMIN"},
		TraitApplication: {No, No, "stays as it is"},
		TraitWarned:      {Yes, Yes, "it bites"},
	} {
		found := c.TraitsOf("dnat", name)
		if len(found) != 1 {
			t.Errorf("%s was found %d times", name, len(found))
			continue
		}
		if f := found[0]; f.Answer != want[0] || f.Value != want[1] || !strings.Contains(f.Detail, want[2]) {
			t.Errorf("%s: %q, %q, %q; want %q", name, f.Answer, f.Value, f.Detail, want)
		}
	}
	if n := *c.TraitsOf("dnat", TraitKill)[0].Number; n != 0.5 {
		t.Errorf("the share lost after a kill is %v", n)
	}
	if slices.Contains(s.asked, TraitUDP) {
		t.Error("what the strategy rules out was tried")
	}
	for _, f := range c.Traits {
		kept := slices.Contains(s.kept, f.Folder)
		if f.Arm != "dnat" {
			t.Errorf("a trait of %s, which has one replica: %s", f.Arm, f.Name)
		}
		if ran := f.Answer != Unknown && !slices.Contains([]string{TraitUDP, TraitHairpin, TraitWebSocket, TraitRoot, TraitApplication, TraitWarned}, f.Name); kept != ran {
			t.Errorf("%s has the folder %q", f.Name, f.Folder)
		}
	}
}

func TestKeptConnectionsAreSpreadOnlyIfOneIsAnsweredByTwo(t *testing.T) {
	s := &stage{samples: lab.SampleList{{Connection: 0, Instance: "foo"}, {Connection: 0, Instance: "bar"}, {Connection: 1, Instance: "bar"}}}
	c, err := s.survey(t)
	if err != nil {
		t.Fatal(err)
	}
	if f := c.TraitsOf("dnat", TraitKeepAlive)[0]; f.Answer != Yes || f.Value != "spread" {
		t.Errorf("%+v", f)
	}
	// A fault that was answered by someone else is no answer, and neither is one without a name.
	s.samples = lab.SampleList{{Connection: 0}, {Connection: 0, Instance: "bar", Fault: lab.Reset}}
	if c, err = s.survey(t); err != nil {
		t.Fatal(err)
	}
	if f := c.TraitsOf("dnat", TraitKeepAlive)[0]; f.Answer != Unknown {
		t.Errorf("%+v", f)
	}
}

func TestSurveyEndsWhereSomethingCouldNotBeTakenBack(t *testing.T) {
	unclean := lab.Unclean(errors.New("a rule is left"))
	s := &stage{answers: map[string]func(*lab.Result) error{TraitChange: ends(unclean)}}
	c, err := s.survey(t)
	if !errors.Is(err, unclean) || slices.Contains(s.asked, TraitAddress) {
		t.Errorf("error %v after %v", err, s.asked)
	}
	if len(c.TraitsOf("dnat", TraitKill)) != 1 {
		t.Error("what was found before is lost")
	}
}

func TestBalanceIsYesNoOrCannotTell(t *testing.T) {
	for _, x := range []struct {
		counts  []int
		weights []float64
		want    string
	}{
		{[]int{5050, 4950}, nil, Yes},
		{[]int{16, 14}, nil, Unknown},
		{[]int{396, 367, 337, 284, 263, 230, 208, 187, 183, 1545}, nil, No},
		{[]int{1000, 0}, nil, No},
		{[]int{7520, 2480}, []float64{3, 1}, Yes},
		{[]int{7520, 2480}, nil, No},
	} {
		n := len(x.counts)
		c := &Comparison{Rounds: []Round{{Runs: []Run{{Arm: "a", Connections: x.counts}, {Arm: "b", Connections: []int{1}}}}}}
		found, ok := c.balance("a", Contender{Replicas: n, Weights: x.weights})
		if !ok || found.Answer != x.want {
			t.Errorf("%v with weights %v: %q (%s), want %q", x.counts, x.weights, found.Answer, found.Detail, x.want)
		}
	}
	if _, ok := (&Comparison{}).balance("a", Contender{Replicas: 2}); ok {
		t.Error("a balance was found where there was no connection")
	}
}

func TestEachTraitIsListedAndFoundOnce(t *testing.T) {
	var names, found []string
	for _, k := range Traits() {
		names = append(names, k.Name)
		if k.Title == "" || !strings.HasSuffix(k.How, ".") && !strings.HasSuffix(k.How, "?") {
			t.Errorf("%s: %q, %q", k.Name, k.Title, k.How)
		}
	}
	for _, q := range questions() {
		found = append(found, q.trait)
	}
	found = append([]string{TraitBalance, TraitLatency, TraitThroughput, TraitCPU}, found...)
	if found = append(found, TraitRoot, TraitApplication, TraitWarned); !slices.Equal(names, found) {
		t.Errorf("listed %v, found %v", names, found)
	}
}

func TestTraitsOfTheRoundsAreTheMedians(t *testing.T) {
	c := &Comparison{Baselines: []string{"direct"}, Summaries: []Summary{
		{Arm: "dnat", Metric: LatencyP50, Ratios: map[string]Estimate{"direct": {Median: 1.174, Low: new(1.131), High: new(1.2), N: 8}}},
		{Arm: "dnat", Metric: Throughput, Value: Estimate{Median: 17555.6, N: 8}},
		{Arm: "dnat", Metric: CPU, Value: Estimate{Median: 1_174_200, N: 8}},
	}, Rounds: []Round{{Runs: []Run{{Arm: "dnat", Connections: []int{500, 500}, Folder: "runs/001-dnat"}}}}}
	values := map[string]string{}
	for _, f := range c.ofRounds(Arm{Name: "dnat", Replicas: 2}, Contender{Replicas: 2}) {
		values[f.Name] = f.Value
		if f.Number == nil || f.Folder != "runs/001-dnat" {
			t.Errorf("%+v", f)
		}
	}
	for name, want := range map[string]string{TraitBalance: "within 7%", TraitLatency: "1.17 times", TraitThroughput: "17556/s", TraitCPU: "1.17 ms"} {
		if values[name] != want {
			t.Errorf("%s is %q, want %q", name, values[name], want)
		}
	}
	for ns, want := range map[float64]string{4.2e3: "4.2 µs", 71_940: "71.9 µs", 999_600: "1 ms", 12e6: "12 ms", 2.5e9: "2.5 s"} {
		if got := spell(ns); got != want {
			t.Errorf("%v ns are %q, want %q", ns, got, want)
		}
	}
}

func TestWhatContradictsADeclarationIsAWarning(t *testing.T) {
	c := &Comparison{
		Arms: []Arm{{Name: "naive", Null: lab.Random}, {Name: "dnat", Null: lab.Random}, {Name: "sticky", Null: lab.Hash}},
		Traits: []Trait{
			{Arm: "naive", Name: TraitBalance, Answer: No, Detail: "the last one gets 38.7%."},
			{Arm: "dnat", Name: TraitBalance, Answer: Yes}, {Arm: "sticky", Name: TraitBalance, Answer: No},
		},
	}
	if w := c.contradictions(); len(w) != 1 || !strings.Contains(w[0], "naive is meant to spread") || !strings.Contains(w[0], "38.7%") {
		t.Errorf("%q", w)
	}
}
