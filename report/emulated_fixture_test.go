package report

import (
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// onEmulator makes the processor an emulated one, and has every figure of time,
// rate and cost in the report: those of warnings and of changes as well.
func onEmulator(r *lab.Result, samples lab.SampleList) {
	proxied(r, samples)
	r.Environment.Emulated, r.Environment.Virtualization, r.Environment.CPU = true, "qemu", "Intel Core i7 9xx (Nehalem Class Core i7)"
	r.Environment.Notes = append(r.Environment.Notes, "emulated: 100ms into the load, bar leaves; that took 30ms.")
	r.Plan.Rate, r.Plan.Arrivals, r.Plan.Concurrency = 1000, lab.Poisson, 64
	r.Client = lab.Client{Driver: "raw", UserCPU: 40 * time.Millisecond, SystemCPU: 120 * time.Millisecond, Late: 50, Queued: 700, Backlog: 80, Ports: 28232}
	for i := range samples {
		s := &samples[i]
		s.Begun += time.Duration(i) * 200 * time.Microsecond
		s.Connected = s.Begun + 50*time.Microsecond
		if i > len(samples)/2 {
			s.Connected += 400 * time.Microsecond
		}
		s.FirstByte, s.Done = s.Connected+time.Millisecond, s.Connected+s.Done-s.Due+time.Millisecond
	}
}

func emulatedVerdicts(r *lab.Result) []lab.Verdict {
	all := balancedVerdicts(r)
	all[1] = lab.Verdict{Claim: all[1].Claim, Outcome: lab.Unsupported, N: r.Requests,
		Sentence: "dependence of the latency on the instance: not judged: the processor was emulated in software", Warnings: []string{}}
	return all
}

// slower is the same run where all that is a time, a rate or a cost is
// another: each time from when a request was due is three times as long.
func slower(r *lab.Result, samples lab.SampleList) (*lab.Result, lab.SampleList) {
	const times = 3
	samples = slices.Clone(samples)
	for i := range samples {
		s := &samples[i]
		for _, at := range []*time.Duration{&s.Begun, &s.Connected, &s.FirstByte, &s.Done} {
			*at = s.Due + times*(*at-s.Due)
		}
		s.Service *= times
	}
	res, cost := *r, *r.Cost
	for _, d := range []*time.Duration{&cost.Client, &cost.Replicas, &cost.Sidecars, &cost.Rest, &cost.Machine, &cost.Stolen} {
		*d *= times
	}
	cost.ReplicasMemoryBytes, cost.SidecarsMemoryBytes = times*cost.ReplicasMemoryBytes, times*cost.SidecarsMemoryBytes
	res.Cost = &cost
	res.Client.UserCPU, res.Client.SystemCPU = times*res.Client.UserCPU, times*res.Client.SystemCPU
	addTimings(&res.Timings, r.Timings)
	addTimings(&res.Timings, lab.Timings{Load: time.Second, Total: time.Second}) // which changes the shares as well
	res.Environment.Notes = slices.Clone(r.Environment.Notes)
	res.Environment.Notes[len(res.Environment.Notes)-1] = "emulated: 100ms into the load, bar leaves; that took 90ms."
	res.Fold(samples, nil)
	return &res, samples
}

// emulatedContest is a comparison where the processor was emulated, with traits.
func emulatedContest() *compare.Comparison {
	return emulatedContestBy(func(string) float64 { return 1 })
}

// emulatedContestBy has the times of each arm multiplied by a factor.
func emulatedContestBy(factor func(arm string) float64) *compare.Comparison {
	return contest{arms: sixArms, rounds: 8, edit: func(c *compare.Comparison) {
		c.Environment.Emulated = true
		for _, r := range c.Rounds {
			for _, run := range r.Runs {
				for _, m := range c.Metrics {
					switch by := factor(run.Arm); {
					case !m.HardwareBound():
					case m.Higher:
						run.Values[m.Name] /= by
					default:
						run.Values[m.Name] *= by
					}
				}
			}
		}
		c.Traits = madeUpTraits(c.Arms)
		for i := range c.Traits {
			if t := &c.Traits[i]; t.Number != nil && factor(t.Arm) != 1 && slices.Contains([]string{compare.TraitLatency, compare.TraitThroughput, compare.TraitCPU}, t.Name) {
				t.Value = "another"
			}
		}
		c.Fold() // for warnings and advice
		c.Summaries, c.Pairs = nil, nil
		summarise(c)
		c.Verdicts = []compare.Verdict{{Arm: "dnat", Verdict: lab.Verdict{Claim: "p50 at most 1.5x direct", Outcome: lab.Unsupported, Asked: true, N: 8,
			Sentence: "dnat over direct, latency_p50: not judged: the processor was emulated in software", Warnings: []string{}}}}
	}}.make()
}
