package lab

import (
	"math"
	"slices"
	"time"
)

// Measurement is a fold over samples.
type Measurement struct {
	Requests    int           // all that were due
	Connections int           // that stood and were answered by someone
	Faults      map[Fault]int // only the classes that occurred
	Elapsed     time.Duration // from the first due time to the last end
	Latency     Quantiles     // of the requests that were answered
	Connect     Quantiles     // due time to connected, of the same
	FirstByte   Quantiles     // due time to first byte, of the same
	Response    Quantiles     // begun to done, of the same
	Service     Quantiles     // the replica's own time, of those that say it
	Lag         Quantiles     // due time to begun, of all requests
	Duplicates  int           // further answers to the same request
	Reordered   int           // answers that came after one to a later request
	Instances   []Instance    // one for each replica, silent ones included, in the fleet's order
	// Unnamed counts the answers that did not say who gave them.
	Unnamed int
	// Outside: connections were counted from outside, in the replicas' network
	// namespaces, because the answers do not say who gave them.
	Outside bool
}

// Instance is what one replica did.
type Instance struct {
	Name        string
	Weight      float64
	Connections int // of the client, that this replica answered
	Requests    int
	Share       float64 // of all connections that somebody answered
	Expected    float64 // share, by the weights
	Latency     Quantiles
	Clients     []string // distinct client addresses that the replica saw, at most 10
}

// Quantiles of a set of durations. Without any, all are zero.
type Quantiles struct {
	Count int           `json:"count"`
	Min   time.Duration `json:"min_ns"`
	Mean  time.Duration `json:"mean_ns"`
	P50   time.Duration `json:"p50_ns"`
	P90   time.Duration `json:"p90_ns"`
	P99   time.Duration `json:"p99_ns"`
	P999  time.Duration `json:"p999_ns"`
	Max   time.Duration `json:"max_ns"`
}

// QuantilesOf sorts durations in place and reads their quantiles off by the
// nearest-rank method: each is a value that occurred.
func QuantilesOf(d []time.Duration) Quantiles {
	if len(d) == 0 {
		return Quantiles{}
	}
	slices.Sort(d)
	var sum float64
	for _, x := range d {
		sum += float64(x)
	}
	at := func(q float64) time.Duration {
		return d[max(int(math.Ceil(q*float64(len(d))))-1, 0)]
	}
	return Quantiles{
		Count: len(d), Min: d[0], Max: d[len(d)-1],
		Mean: time.Duration(sum / float64(len(d))),
		P50:  at(0.50), P90: at(0.90), P99: at(0.99), P999: at(0.999),
	}
}

// Measure folds samples into what they say about these replicas. An answer of
// an instance that is not among them is counted under its own name, weight 0.
func Measure(samples Samples, replicas []Replica) Measurement {
	m := Measurement{Requests: samples.Len(), Faults: map[Fault]int{}}
	f := folds{index: map[string]int{}}
	shares := Shares(replicas)
	for i, r := range replicas {
		f.add(Instance{Name: r.Instance, Weight: r.Weight, Expected: shares[i]})
	}
	var all, connect, first, response, service, lag []time.Duration
	begin, end := time.Duration(math.MaxInt64), time.Duration(0)
	counted := map[int]bool{}
	for s := range samples.All() {
		begin, end = min(begin, s.Due), max(end, s.Done)
		lag = append(lag, s.Begun-s.Due)
		m.Duplicates += s.Duplicates
		if s.Reordered {
			m.Reordered++
		}
		if !s.OK() {
			m.Faults[s.Fault]++
			continue
		}
		all = append(all, s.Latency())
		connect = append(connect, max(s.Connected-s.Due, 0))
		first = append(first, s.FirstByte-s.Due)
		response = append(response, s.Response())
		if s.Service > 0 {
			service = append(service, s.Service)
		}
		if s.Instance == "" {
			m.Unnamed++
		} else {
			f.count(s, !counted[s.Connection])
		}
		if !counted[s.Connection] {
			counted[s.Connection] = true
			m.Connections++
		}
	}
	if samples.Len() > 0 {
		m.Elapsed = end - begin
	}
	m.Latency, m.Connect, m.FirstByte = QuantilesOf(all), QuantilesOf(connect), QuantilesOf(first)
	m.Response, m.Service, m.Lag = QuantilesOf(response), QuantilesOf(service), QuantilesOf(lag)
	m.Instances = f.instances
	named := 0
	for i := range m.Instances {
		m.Instances[i].Latency = QuantilesOf(f.latency[i])
		named += m.Instances[i].Connections
	}
	m.share(named)
	return m
}

// CountFromOutside replaces the counts of connections by those taken in the
// replicas' own network namespaces. Keys are instance names.
func (m *Measurement) CountFromOutside(accepted map[string]uint64) {
	m.Outside = true
	total := 0
	for i, in := range m.Instances {
		m.Instances[i].Connections = int(accepted[in.Name])
		total += int(accepted[in.Name])
	}
	m.share(total)
}

// Counts are the connections of each instance, in the fleet's order.
func (m Measurement) Counts() []int {
	counts := make([]int, len(m.Instances))
	for i, in := range m.Instances {
		counts[i] = in.Connections
	}
	return counts
}

// Failed is the number of requests with a fault.
func (m Measurement) Failed() int {
	n := 0
	for _, k := range m.Faults {
		n += k
	}
	return n
}

func (m *Measurement) share(total int) {
	if total == 0 {
		return
	}
	for i := range m.Instances {
		m.Instances[i].Share = float64(m.Instances[i].Connections) / float64(total)
	}
}

// maxClients is how many distinct client addresses are kept for an instance:
// enough to see whether the address is preserved.
const maxClients = 10

type folds struct {
	index     map[string]int
	instances []Instance
	latency   [][]time.Duration
}

func (f *folds) add(in Instance) int {
	f.index[in.Name] = len(f.instances)
	f.instances = append(f.instances, in)
	f.latency = append(f.latency, nil)
	return len(f.instances) - 1
}

func (f *folds) count(s Sample, newConnection bool) {
	i, ok := f.index[s.Instance]
	if !ok {
		i = f.add(Instance{Name: s.Instance})
	}
	in := &f.instances[i]
	in.Requests++
	if newConnection {
		in.Connections++
	}
	f.latency[i] = append(f.latency[i], s.Latency())
	if s.ReplicaSaw.IsValid() && len(in.Clients) < maxClients {
		if a := s.ReplicaSaw.Addr().String(); !slices.Contains(in.Clients, a) {
			in.Clients = append(in.Clients, a)
		}
	}
}
