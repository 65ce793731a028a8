package claim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
)

// replicas makes a fleet with these weights.
func replicas(weights ...float64) []lab.Replica {
	all := make([]lab.Replica, len(weights))
	for i, w := range weights {
		all[i] = lab.Replica{Instance: lab.InstanceName(i), Weight: w}
	}
	return all
}

func equal(k int) []lab.Replica {
	all := replicas(make([]float64, k)...)
	for i := range all {
		all[i].Weight = 1
	}
	return all
}

// answers makes one answered sample for each instance named by its number, each
// on a connection and a port of its own.
func answers(sequence []int) []lab.Sample {
	client := netip.MustParseAddr("198.19.0.2")
	all := make([]lab.Sample, len(sequence))
	for i, instance := range sequence {
		due := time.Duration(i) * time.Millisecond
		port := uint16(1024 + i%60000)
		all[i] = lab.Sample{
			Request: i, Connection: i, Due: due, Done: due + time.Duration(100+i%7)*time.Microsecond,
			Local:      netip.AddrPortFrom(client, port),
			Target:     netip.AddrPortFrom(netip.MustParseAddr("198.19.0.1"), uint16(8080+i/60000)),
			ReplicaSaw: netip.AddrPortFrom(client, port),
			Instance:   lab.InstanceName(instance), Status: 200,
		}
	}
	return all
}

// blocks is a sequence with these counts, one instance after the other.
func blocks(counts ...int) []int {
	var s []int
	for i, c := range counts {
		for range c {
			s = append(s, i)
		}
	}
	return s
}

// turns is n times round k instances.
func turns(n, k int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i % k
	}
	return s
}

// shuffled is blocks in random order.
func shuffled(seed uint64, counts ...int) []int {
	s := blocks(counts...)
	rng := rand.New(rand.NewPCG(seed, 0))
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
	return s
}

func evidence(null lab.Null, fleet []lab.Replica, samples []lab.Sample) lab.Evidence {
	return lab.Evidence{
		Measurement: lab.Measure(lab.SampleList(samples), fleet), Samples: lab.SampleList(samples), Replicas: fleet,
		Null: null, Workers: 1, Plan: lab.DefaultPlan(),
	}
}

// judge judges, and checks what every verdict must fulfil.
func judge(t *testing.T, c lab.Claim, e lab.Evidence) lab.Verdict {
	t.Helper()
	v := c.Judge(e)
	if v.Claim != c.Name() || v.Sentence == "" || v.Warnings == nil {
		t.Errorf("incomplete verdict: %+v", v)
	}
	if _, err := json.Marshal(v); err != nil {
		t.Errorf("%s: %v", c.Name(), err)
	}
	for _, bad := range []string{"NaN", "Inf", "%!"} {
		if strings.Contains(v.Sentence+strings.Join(v.Warnings, " "), bad) {
			t.Errorf("%q in %q, %q", bad, v.Sentence, v.Warnings)
		}
	}
	return v
}

func warned(v lab.Verdict, part string) bool {
	return strings.Contains(strings.Join(v.Warnings, "\n"), part)
}

func everyClaim(t *testing.T) []lab.Claim {
	t.Helper()
	var all []lab.Claim
	for _, f := range claim.Forms() {
		c, err := claim.Parse(f.Text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// Whatever the evidence, every claim comes to a verdict that JSON can carry.
func TestEveryVerdictIsWhole(t *testing.T) {
	nulls := []lab.Null{lab.Random, lab.Hash, lab.RoundRobin, lab.LeastConnections, lab.AcceptRace, lab.Single, ""}
	stranger := answers([]int{0, 1, 5})
	failed := answers([]int{0, 1})
	for i := range failed {
		failed[i].Fault, failed[i].Instance = lab.Refused, ""
	}
	unnamed := answers([]int{0, 1})
	for i := range unnamed {
		unnamed[i].Instance, unnamed[i].ReplicaSaw = "", netip.AddrPort{}
	}
	for name, e := range map[string]struct {
		fleet   []lab.Replica
		samples []lab.Sample
	}{
		"nothing": {nil, nil}, "no samples": {equal(2), nil}, "one sample": {equal(2), answers([]int{1})},
		"one replica": {equal(1), answers(blocks(5))}, "two": {equal(2), answers([]int{0, 1})},
		"no weight": {replicas(0, 0), answers([]int{0, 1})}, "some weight": {replicas(1, 0), answers([]int{0, 1})},
		"stranger": {equal(2), stranger}, "all failed": {equal(2), failed}, "unnamed": {equal(2), unnamed},
		"steep weights": {replicas(1e9, 1), answers(blocks(20, 1))}, "many": {equal(64), answers(shuffled(1, 9, 8, 7))},
	} {
		for _, null := range nulls {
			for _, c := range everyClaim(t) {
				t.Run(fmt.Sprintf("%s/%s/%s", name, null, c.Name()), func(t *testing.T) {
					v := judge(t, c, evidence(null, e.fleet, e.samples))
					if _, ofOne := c.(claim.AtMost); len(e.samples) == 0 && v.Outcome != lab.Inconclusive && !ofOne {
						t.Errorf("without a sample: %s: %s", v.Outcome, v.Sentence)
					}
				})
			}
		}
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]lab.Claim{
		"shares": claim.Shares{TolerancePercent: 20}, "share within 10%": claim.Shares{TolerancePercent: 10},
		" Share  within 2.5 % ": claim.Shares{TolerancePercent: 2.5}, "no loss": claim.NoLoss{}, "Nothing lost": claim.NoLoss{},
		"every instance answers": claim.EveryInstance{}, "nobody starved": claim.EveryInstance{}, "order": claim.Order{},
		"latency independent": claim.LatencyIndependent{}, "client address kept": claim.AddressKept{},
	} {
		if got, err := claim.Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "share", "share within", "share within 0%", "share within 101%", "share within -5%",
		"share within NaN%", "share within 10", "share within 1e1%", "balanced"} {
		_, err := claim.Parse(text)
		var usage *lab.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "share within 10%") {
			t.Errorf("Parse(%q) returned %v", text, err)
		}
	}
}

func TestDefaultsAreFormsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range claim.Defaults() {
		if again, err := claim.Parse(c.Name()); err != nil || again != c || seen[c.Name()] {
			t.Errorf("%q reads as %v, %v", c.Name(), again, err)
		}
		seen[c.Name()] = true
	}
}

func FuzzParse(f *testing.F) {
	for _, form := range claim.Forms() {
		f.Add(form.Text)
	}
	f.Add("share within 100.000001%")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := claim.Parse(s)
		if err != nil {
			if _, usage := errors.AsType[*lab.UsageError](err); !usage {
				t.Fatalf("%q: %v is no usage error", s, err)
			}
			return
		}
		if again, err := claim.Parse(c.Name()); err != nil || again != c {
			t.Fatalf("%q reads as %v, its name as %v, %v", s, c, again, err)
		}
	})
}
