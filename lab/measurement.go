package lab

import "time"

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
	// Scheduled is from the first due time to the last, and Offered from the
	// first due time to when the last request was begun. An open loop in which
	// the second is much longer did not reach its rate.
	Scheduled time.Duration
	Offered   time.Duration
	// Opened counts the connections that were opened for a counted request,
	// answered or not.
	Opened int
	// Targets is to how many addresses and ports requests went.
	Targets int
	// Details is what the system said of the first fault of each class.
	Details map[Fault]string
	// Address is what the replicas saw of the client's address.
	Address ClientAddress
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

// Measure folds samples into what they say about these replicas, in bounded
// memory. An answer of an instance that is not among them is counted under its
// own name, weight 0.
func Measure(samples Samples, replicas []Replica) Measurement {
	f := newFold(replicas)
	for s := range samples.All() {
		f.sample(&s)
	}
	return f.measurement(samples.Len())
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
