package lab

import (
	"math"
	"net/netip"
	"slices"
	"time"
)

// fold is a measurement in the making.
type fold struct {
	m         Measurement
	index     map[string]int // of each instance, by name
	latencies []Distribution // of each instance

	all, connect, first, response, service, lag Distribution
	begin, end, lastDue, lastBegun              time.Duration
	seen, answered                              Bitset         // connections
	target                                      netip.AddrPort // of the sample before
	targets                                     map[netip.AddrPort]bool
}

func newFold(replicas []Replica) *fold {
	f := &fold{
		m:     Measurement{Faults: map[Fault]int{}, Details: map[Fault]string{}, Address: AddressUnknown},
		index: map[string]int{}, targets: map[netip.AddrPort]bool{},
		begin: math.MaxInt64, lastDue: math.MinInt64, lastBegun: math.MinInt64,
	}
	shares := Shares(replicas)
	for i, r := range replicas {
		f.add(Instance{Name: r.Instance, Weight: r.Weight, Expected: shares[i]})
	}
	return f
}

// sample counts one sample.
func (f *fold) sample(s *Sample) {
	f.begin, f.end = min(f.begin, s.Due), max(f.end, s.Done)
	f.lastDue, f.lastBegun = max(f.lastDue, s.Due), max(f.lastBegun, s.Begun)
	f.lag.Record(s.Begun - s.Due)
	f.m.Duplicates += s.Duplicates
	if s.Reordered {
		f.m.Reordered++
	}
	if f.seen.Add(s.Connection) && opens(s) {
		f.m.Opened++
	}
	if s.Target != f.target || len(f.targets) == 0 {
		f.target, f.targets[s.Target] = s.Target, true
	}
	if !s.OK() {
		f.fault(s)
		return
	}
	f.answer(s)
}

// opens says whether a connection was opened for a request, if there was none
// before it.
func opens(s *Sample) bool { return s.Connected != 0 && s.Connected >= s.Begun }

func (f *fold) fault(s *Sample) {
	f.m.Faults[s.Fault]++
	if f.m.Details[s.Fault] == "" && s.Detail != "" {
		f.m.Details[s.Fault] = s.Detail
	}
}

// answer counts a request that was answered.
func (f *fold) answer(s *Sample) {
	f.all.Record(s.Latency())
	f.connect.Record(max(s.Connected-s.Due, 0))
	f.first.Record(s.FirstByte - s.Due)
	f.response.Record(s.Response())
	if s.Service > 0 {
		f.service.Record(s.Service)
	}
	fresh := f.answered.Add(s.Connection)
	if fresh {
		f.m.Connections++
	}
	f.address(s)
	if s.Instance == "" {
		f.m.Unnamed++
		return
	}
	f.byInstance(s, fresh)
}

// address compares the client's address with the one that the replica saw.
func (f *fold) address(s *Sample) {
	if !s.ReplicaSaw.IsValid() || !s.Local.IsValid() || f.m.Address == AddressLost {
		return
	}
	f.m.Address = AddressKept
	if s.ReplicaSaw.Addr().Unmap() != s.Local.Addr().Unmap() {
		f.m.Address = AddressLost
	}
}

// maxClients is how many distinct client addresses are kept for an instance:
// enough to see whether the address is preserved.
const maxClients = 10

func (f *fold) byInstance(s *Sample, newConnection bool) {
	i, ok := f.index[s.Instance]
	if !ok {
		i = f.add(Instance{Name: s.Instance})
	}
	in := &f.m.Instances[i]
	in.Requests++
	if newConnection {
		in.Connections++
	}
	f.latencies[i].Record(s.Latency())
	if s.ReplicaSaw.IsValid() && len(in.Clients) < maxClients {
		if a := s.ReplicaSaw.Addr().String(); !slices.Contains(in.Clients, a) {
			in.Clients = append(in.Clients, a)
		}
	}
}

func (f *fold) add(in Instance) int {
	f.index[in.Name] = len(f.m.Instances)
	f.m.Instances = append(f.m.Instances, in)
	f.latencies = append(f.latencies, Distribution{})
	return len(f.m.Instances) - 1
}

// measurement is what n samples came to.
func (f *fold) measurement(n int) Measurement {
	m := f.m
	m.Requests = n
	if n > 0 {
		m.Elapsed, m.Scheduled, m.Offered = f.end-f.begin, f.lastDue-f.begin, f.lastBegun-f.begin
	}
	m.Targets = len(f.targets)
	m.Latency, m.Connect, m.FirstByte = f.all.Quantiles(), f.connect.Quantiles(), f.first.Quantiles()
	m.Response, m.Service, m.Lag = f.response.Quantiles(), f.service.Quantiles(), f.lag.Quantiles()
	named := 0
	for i := range m.Instances {
		m.Instances[i].Latency = f.latencies[i].Quantiles()
		named += m.Instances[i].Connections
	}
	m.share(named)
	return m
}
