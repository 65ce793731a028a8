package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// contest is a made-up comparison: the same every time.
type contest struct {
	arms   []contestant
	rounds int
	absent map[string]string
	fails  map[string]int // the round in which an arm's run failed
	edit   func(*compare.Comparison)
}

// contestant is an arm whose metrics are known factors of those of direct.
type contestant struct {
	name             string
	slow, cpu        float64
	null             lab.Null
	summary          string
	baseline, single bool
}

var sixArms = []contestant{
	{"direct", 1, 1, lab.Single, "clients dial the only replica", true, true},
	{"client-side", 1.02, 1.01, lab.Random, "the client picks a replica itself", true, false},
	{"reuseport", 1.01, 1.02, lab.Hash, "replicas share the port by SO_REUSEPORT", false, false},
	{"dnat", 1.17, 1.12, lab.Random, "iptables picks a replica for each connection", false, false},
	{"proxy", 1.9, 1.8, lab.Random, "a small reverse proxy in Go", false, false},
	{"nginx:method=random", 1.88, 1.6, lab.Random, "nginx proxies to the replicas", false, false},
}

func noisyContest() *compare.Comparison {
	return contest{
		arms: sixArms, rounds: 8,
		absent: map[string]string{"sk-lookup": "sk-lookup needs BPF sk_lookup programs: this kernel has none (use Linux 5.9 or later)"},
		fails:  map[string]int{"proxy": 5}, edit: disturb,
	}.make()
}

func disturb(c *compare.Comparison) {
	c.Noise = compare.Noise{
		Quiet: false, Drift: new(0.714), DriftP: new(0.0141), Spread: 0.082, StolenShare: 0.0613, OtherShare: 0.118,
		Findings: []string{
			"The baseline's median latency drifted upwards over the rounds (Kendall's tau 0.714, p = 0.014).",
			"In the worst run, the hypervisor took 6.1% of the processors' time.",
		},
	}
	c.Warnings = []string{"One run of proxy failed: its round counts for the others only."}
	c.Traits, c.Advice = madeUpTraits(c.Arms), madeUpAdvice()
	c.Verdicts = []compare.Verdict{
		{Arm: "dnat", Verdict: lab.Verdict{Claim: "p50 at most 1.5x direct", Outcome: lab.Held, Asked: true, N: 8,
			Sentence: "the median latency is 1.17 times that of direct, at most 1.2 times with 95% confidence.",
			Effect:   new(1.17), EffectName: "ratio", Interval: &[2]float64{1.13, 1.2}, Confidence: 0.95, Warnings: []string{}}},
		{Arm: "proxy", Verdict: lab.Verdict{Claim: "p50 at most 1.5x direct", Outcome: lab.Refuted, Asked: true, N: 7,
			Sentence: "the median latency is 1.9 times that of direct, at least 1.84 times with 95% confidence.",
			Effect:   new(1.9), EffectName: "ratio", Interval: &[2]float64{1.84, 1.96}, Confidence: 0.95, Warnings: []string{}}},
		{Arm: "reuseport", Verdict: lab.Verdict{Claim: "p50 at most 1.02x direct", Outcome: lab.Inconclusive, Asked: true, N: 8, NeedN: 31,
			Sentence: "the median latency may be 1.02 times that of direct or not.",
			Effect:   new(1.01), EffectName: "ratio", Interval: &[2]float64{0.97, 1.05}, Confidence: 0.95, Warnings: []string{"few rounds"}}},
	}
}

// crowded is a comparison of many arms, on a quiet machine. With eight rounds,
// Holm over all pairs would leave nothing that can be told.
func crowded(n int) *compare.Comparison {
	all := slices.Clone(sixArms)
	for i := len(all); i < n; i++ {
		f := 1 + 0.07*float64(i%13)
		all = append(all, contestant{fmt.Sprintf("strategy%02d:method=leastconn,mode=tcp", i), f, 1 + (f-1)/2, lab.LeastConnections, "one of many", false, false})
	}
	return contest{arms: all, rounds: 10, edit: func(c *compare.Comparison) {
		c.Traits, c.Advice = madeUpTraits(c.Arms), madeUpAdvice()
	}}.make()
}

// short is a comparison that ended before there could be an interval.
func short() *compare.Comparison {
	return contest{arms: sixArms[:3], rounds: 2}.make()
}

// typical are the metrics of direct, with the standard deviation of their logarithm.
var typical = map[string][2]float64{
	compare.Throughput: {21000, 0.02}, compare.LatencyP50: {52e3, 0.015}, compare.LatencyP90: {71e3, 0.03},
	compare.LatencyP99: {133e3, 0.09}, compare.CPU: {58e3, 0.02}, compare.CPUClient: {19e3, 0.02},
	compare.CPUPath: {8e3, 0.1}, compare.CPUReplicas: {31e3, 0.02}, compare.MemoryReplicas: {9.2e6, 0.01},
	compare.Fairness: {0.999, 0.0003}, compare.Loss: {0, 0},
}

func (ct contest) make() *compare.Comparison {
	c := &compare.Comparison{
		SchemaVersion: compare.SchemaVersion, ID: "c3f9a2", Started: time.Date(2025, 3, 14, 9, 26, 53, 0, time.UTC),
		Seed: 7, Runtime: "netns", Vantage: lab.External, Family: lab.IPv4, Replicas: 2, Plan: plan(),
		Environment: baseResult().Environment,
		Stop: compare.Stop{Planned: ct.rounds, Done: ct.rounds, Looks: []int{ct.rounds}, Alpha: 0.05, LookAlpha: 0.05,
			Reason: "All rounds that were planned are done."},
		Noise: compare.Noise{Quiet: true, Spread: 0.02},
	}
	c.Plan.Requests = 1000
	c.Command = []string{"portlab", "compare", "dnat", "reuseport", "proxy", "nginx:method=random", "--rounds", fmt.Sprint(ct.rounds)}
	for _, m := range compare.AllMetrics() {
		if _, ok := typical[m.Name]; ok {
			c.Metrics = append(c.Metrics, m)
		}
	}
	for _, a := range ct.arms {
		arm := compare.Arm{Name: a.name, Strategy: a.name, Summary: a.summary, Replicas: 2, Null: a.null, Baseline: a.baseline}
		if a.baseline {
			c.Baselines = append(c.Baselines, a.name)
		}
		if a.single {
			arm.Replicas = 1
		}
		c.Arms = append(c.Arms, arm)
	}
	for _, name := range sortedKeys(ct.absent) {
		c.Arms = append(c.Arms, compare.Arm{Name: name, Strategy: name, Summary: "not here", Replicas: 2, Null: lab.Hash, Absent: ct.absent[name]})
	}
	ct.run(c)
	summarise(c)
	if ct.edit != nil {
		ct.edit(c)
	}
	return c
}

func (ct contest) run(c *compare.Comparison) {
	random := rand.New(rand.NewPCG(5, 6))
	for i := range ct.rounds {
		round := compare.Round{Number: i + 1}
		moment := math.Exp(0.05 * random.NormFloat64()) // disturbs the whole round
		for _, k := range random.Perm(len(ct.arms)) {
			a := ct.arms[k]
			run := compare.Run{Arm: a.name, ID: lab.RunID(fmt.Sprintf("r%c%c%03d", 'a'+i, 'a'+k%26, k)), Started: c.Started.Add(time.Duration(100*i+3*k) * time.Second),
				Took: 1300 * time.Millisecond, Requests: 1000, Connections: []int{507, 493}, Values: map[string]float64{}, Faults: map[lab.Fault]int{}}
			run.Folder = fmt.Sprintf("runs/%d-%s", i+1, run.ID)
			if a.single {
				run.Connections = []int{1000}
			}
			if ct.fails[a.name] == i+1 {
				run.Failed, run.Values = "the front did not answer within 20s: refused", nil
			} else {
				for _, m := range c.Metrics {
					if v := value(a, m.Name, moment, random); m.Name != compare.Fairness || !a.single {
						run.Values[m.Name] = v
					}
				}
			}
			round.Runs = append(round.Runs, run)
		}
		c.Rounds = append(c.Rounds, round)
	}
}

func value(a contestant, metric string, moment float64, random *rand.Rand) float64 {
	factor := a.slow
	switch {
	case metric == compare.Fairness:
		return 1 - typical[metric][1]*random.Float64()
	case metric == compare.Throughput:
		factor, moment = 1/a.slow, 1/moment
	case metric == compare.MemoryReplicas:
		factor, moment = a.cpu, 1
	case strings.HasPrefix(metric, "cpu"):
		factor = a.cpu
	}
	return math.Round(typical[metric][0] * factor * moment * math.Exp(typical[metric][1]*random.NormFloat64()))
}

// madeUpTraits have an arm that cannot do much, and a contradiction.
func madeUpTraits(arms []compare.Arm) []compare.Trait {
	var all []compare.Trait
	for i, a := range arms {
		if a.Absent != "" || a.Baseline {
			continue
		}
		for k, kind := range compare.Traits() {
			t := compare.Trait{Arm: a.Name, Name: kind.Name, Answer: compare.Yes, Value: "yes", Detail: "200 of 200 requests were answered.", Folder: fmt.Sprintf("traits/%s-%d", kind.Name, i)}
			switch {
			case k < 6:
				t.Answer, t.Number = "", new(float64(k)/100)
				t.Value = []string{"within 6%", "1.17 times", "18,000/s", "72 µs", "48%", "0 of 750"}[k]
				t.Detail = "Measured in the rounds."
			case kind.Name == compare.TraitUDP && i%2 == 0:
				t.Answer, t.Value, t.Detail, t.Folder = compare.No, "no", "HTTP proxies carry no datagrams.", ""
			case kind.Name == compare.TraitIPv6 && i%3 == 0:
				t.Answer, t.Value, t.Detail = compare.Unknown, "cannot tell", "This kernel has no IPv6."
			case kind.Name == compare.TraitRoot || kind.Name == compare.TraitApplication || kind.Name == compare.TraitWarned:
				t.Answer, t.Value, t.Detail, t.Folder = compare.No, "no", "Declared.", ""
			}
			all = append(all, t)
		}
	}
	again := all[6]
	again.Answer, again.Value, again.Detail = compare.No, "no", "In a second run, the replicas saw another address."
	return append(all, again)
}

func madeUpAdvice() []compare.Advice {
	return []compare.Advice{
		{For: "HTTP on one machine without root", Arms: []string{"reuseport", "proxy"}, Sentence: "Use reuseport. proxy does it too, with 1.9 times the latency of direct.",
			Rule: "needs root: no; then by median latency, lowest first."},
		{For: "UDP", Sentence: "Nothing that was measured carries UDP.", Rule: "UDP: yes; then by median latency, lowest first."},
	}
}
