package compare

import (
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
)

// The names of the metrics.
const (
	Throughput     = "throughput"
	LatencyP50     = "latency_p50"
	LatencyP90     = "latency_p90"
	LatencyP99     = "latency_p99"
	LatencyP999    = "latency_p99.9"
	CPU            = "cpu"
	CPUClient      = "cpu_client"
	CPUPath        = "cpu_path"
	CPUReplicas    = "cpu_replicas"
	MemoryReplicas = "memory_replicas"
	MemorySidecars = "memory_sidecars"
	Fairness       = "fairness"
	Loss           = "loss"
)

// beyondQuantile is how many requests there must be beyond a quantile of a run
// for it to be compared: with fewer it is hardly more than the slowest request.
const beyondQuantile = 10

// measure is a metric and how a run gets its value; ok is false where it has none.
type measure struct {
	Metric
	of func(*lab.Result) (value float64, ok bool)
}

// AllMetrics lists what runs are compared by, in the order in which it is shown.
func AllMetrics() []Metric {
	var all []Metric
	for _, m := range measures() {
		all = append(all, m.Metric)
	}
	return all
}

func measures() []measure {
	return []measure{
		{Metric{Throughput, "throughput", "req/s", true, "requests answered per second of load"}, throughput},
		quantile(LatencyP50, "median latency", 0.5, func(q lab.Quantiles) time.Duration { return q.P50 }),
		quantile(LatencyP90, "latency, 90th percentile", 0.9, func(q lab.Quantiles) time.Duration { return q.P90 }),
		quantile(LatencyP99, "latency, 99th percentile", 0.99, func(q lab.Quantiles) time.Duration { return q.P99 }),
		quantile(LatencyP999, "latency, 99.9th percentile", 0.999, func(q lab.Quantiles) time.Duration { return q.P999 }),
		perRequest(CPU, "CPU per request", "processor time of client, path and replicas together",
			func(c *lab.Cost) time.Duration { return c.Client + c.Path() + c.Replicas }),
		perRequest(CPUClient, "CPU per request, client", "processor time of the client's process, the kernel's work for it included",
			func(c *lab.Cost) time.Duration { return c.Client }),
		perRequest(CPUPath, "CPU per request, path", "processor time of proxies, and of the kernel and the machine where it is nobody else's",
			(*lab.Cost).Path),
		perRequest(CPUReplicas, "CPU per request, replicas", "processor time of all replicas, the kernel's work for them included",
			func(c *lab.Cost) time.Duration { return c.Replicas }),
		memory(MemoryReplicas, "memory of the replicas", "proportional set size of all replicas' processes after the load",
			func(c *lab.Cost) uint64 { return c.ReplicasMemoryBytes }),
		memory(MemorySidecars, "memory of the proxies", "proportional set size of all sidecars' processes after the load",
			func(c *lab.Cost) uint64 { return c.SidecarsMemoryBytes }),
		{Metric{Fairness, "fairness", "index", true,
			"Jain's index of the connections over the replicas, each divided by its weight: 1 is even, 1/N is all to one of N"}, fairness},
		{Metric{Loss, "loss", "lost/req", false, "share of the requests that got no whole answer"}, loss},
	}
}

func throughput(r *lab.Result) (float64, bool) {
	return float64(r.Latency.Count) / r.Elapsed.Seconds(), r.Elapsed > 0 && r.Latency.Count > 0
}

func quantile(name, title string, q float64, of func(lab.Quantiles) time.Duration) measure {
	return measure{
		Metric{Name: name, Title: title, Unit: "ns", Meaning: "of the answered requests of a run, from when each was due to its last byte"},
		func(r *lab.Result) (float64, bool) {
			return float64(of(r.Latency)), enoughFor(q, r.Latency.Count)
		},
	}
}

// enoughFor says whether n requests are enough for a quantile.
func enoughFor(q float64, n int) bool {
	const rounding = 1e-6 // 1 - 0.9 is a little less than 0.1
	return float64(n)*(1-q)+rounding >= beyondQuantile
}

func perRequest(name, title, meaning string, of func(*lab.Cost) time.Duration) measure {
	return measure{
		Metric{Name: name, Title: title, Unit: "ns/req", Meaning: meaning},
		func(r *lab.Result) (float64, bool) {
			if r.Cost == nil || r.Requests == 0 {
				return 0, false
			}
			return float64(of(r.Cost)) / float64(r.Requests), true
		},
	}
}

func memory(name, title, meaning string, of func(*lab.Cost) uint64) measure {
	return measure{
		Metric{Name: name, Title: title, Unit: "B", Meaning: meaning},
		func(r *lab.Result) (float64, bool) {
			if r.Cost == nil {
				return 0, false
			}
			return float64(of(r.Cost)), true
		},
	}
}

// fairness is Jain's index (Jain, Chiu & Hawe 1984, "A Quantitative Measure of
// Fairness and Discrimination for Resource Allocation in Shared Computer
// Systems"): the squared sum of what the replicas got over N times the sum of
// squares. One replica has nothing to share.
func fairness(r *lab.Result) (float64, bool) {
	var sum, squares float64
	n := 0
	for _, in := range r.Instances {
		if in.Expected == 0 {
			continue // it is none of ours
		}
		x := float64(in.Connections) / in.Expected
		sum, squares, n = sum+x, squares+x*x, n+1
	}
	if n < 2 || squares == 0 {
		return 0, false
	}
	return sum * sum / (float64(n) * squares), true
}

func loss(r *lab.Result) (float64, bool) {
	if r.Requests == 0 {
		return 0, false
	}
	return float64(r.Requests-r.Latency.Count) / float64(r.Requests), true
}

// Values are the metrics of a run, by name; one that is not known is left out.
func Values(r *lab.Result) map[string]float64 {
	values := map[string]float64{}
	for _, m := range measures() {
		if v, ok := m.of(r); ok {
			values[m.Name] = v
		}
	}
	return values
}

// occurring are the metrics that some run has a value of.
func occurring(rounds []Round) []Metric {
	all := []Metric{}
	for _, m := range AllMetrics() {
		has := func(r Run) bool { _, ok := r.Values[m.Name]; return ok }
		if slices.ContainsFunc(rounds, func(r Round) bool { return slices.ContainsFunc(r.Runs, has) }) {
			all = append(all, m)
		}
	}
	return all
}
