package lab

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// fleet makes replicas of these weights.
func fleet(weights ...float64) []Replica {
	var all []Replica
	for i, w := range weights {
		all = append(all, Replica{Instance: InstanceName(i), Weight: w})
	}
	return all
}

// answer is a request on a connection that an instance answered in 1 ms.
func answer(connection int, instance string) Sample {
	return Sample{Connection: connection, FirstByte: time.Millisecond, Done: time.Millisecond, Instance: instance}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-12 }

func TestSilentReplicaIsAZero(t *testing.T) {
	m := Measure(SampleList{answer(0, "foo"), answer(1, "baz")}, fleet(1, 1, 1))
	if got := m.Counts(); !slices.Equal(got, []int{1, 0, 1}) {
		t.Errorf("counts %v, want 1 0 1", got)
	}
	silent := m.Instances[1]
	if silent.Name != "bar" || silent.Share != 0 || !near(silent.Expected, 1.0/3) || silent.Latency != (Quantiles{}) {
		t.Errorf("the silent replica is %+v", silent)
	}
}

func TestNothingMeasuredIsNoNonsense(t *testing.T) {
	m := Measure(SampleList{}, fleet(1, 1))
	if m.Elapsed != 0 || m.Requests != 0 || m.Failed() != 0 || len(m.Instances) != 2 {
		t.Errorf("of no samples: %+v", m)
	}
	for _, in := range m.Instances {
		if math.IsNaN(in.Share) || in.Share != 0 {
			t.Errorf("the share of nothing is %v", in.Share)
		}
	}
}

func TestFailedRequestsAreCountedAndNotTimed(t *testing.T) {
	samples := []Sample{answer(0, "foo")}
	for i, f := range Faults() {
		for n := range i + 1 {
			samples = append(samples, Sample{Connection: 100*i + n + 1, Done: time.Hour, Fault: f, Instance: "foo"})
		}
	}
	m := Measure(SampleList(samples), fleet(1))
	total := 0
	for i, f := range Faults() {
		if m.Faults[f] != i+1 {
			t.Errorf("%s: %d, want %d", f, m.Faults[f], i+1)
		}
		total += i + 1
	}
	if m.Requests != len(samples) || m.Failed() != total || m.Connections != 1 {
		t.Errorf("%d requests, %d failed, %d connections, want %d, %d, 1",
			m.Requests, m.Failed(), m.Connections, len(samples), total)
	}
	if m.Latency.Count != 1 || m.Latency.Max != time.Millisecond {
		t.Errorf("a failed request counts as a latency: %+v", m.Latency)
	}
	if m.Instances[0].Requests != 1 || m.Instances[0].Latency.Count != 1 {
		t.Errorf("a failed request counts as answered: %+v", m.Instances[0])
	}
	if m.Elapsed != time.Hour {
		t.Errorf("elapsed %s, want the failed requests' hour too", m.Elapsed)
	}
}

func TestUnknownInstanceIsCountedUnderItsOwnName(t *testing.T) {
	m := Measure(SampleList{answer(0, "foo"), answer(1, "stranger"), answer(2, "stranger"), answer(3, "")}, fleet(2))
	if len(m.Instances) != 2 {
		t.Fatalf("instances %+v", m.Instances)
	}
	foo, stranger := m.Instances[0], m.Instances[1]
	if stranger.Name != "stranger" || stranger.Weight != 0 || stranger.Expected != 0 || stranger.Connections != 2 {
		t.Errorf("the stranger is %+v", stranger)
	}
	if foo.Weight != 2 || foo.Expected != 1 || !near(foo.Share, 1.0/3) || !near(stranger.Share, 2.0/3) {
		t.Errorf("shares are not of all connections that somebody answered: %+v", m.Instances)
	}
	if m.Unnamed != 1 || m.Connections != 4 {
		t.Errorf("%d unnamed of %d connections, want 1 of 4", m.Unnamed, m.Connections)
	}
}

func TestConnectionKeptAliveIsCountedOnce(t *testing.T) {
	m := Measure(SampleList{
		answer(0, "foo"), answer(1, "bar"), answer(0, "foo"), answer(0, "foo"), answer(1, "bar"),
	}, fleet(1, 1))
	for i, want := range []int{3, 2} {
		if in := m.Instances[i]; in.Connections != 1 || in.Requests != want || !near(in.Share, 0.5) {
			t.Errorf("%s: %d connections, %d requests, share %v; want 1, %d, 0.5",
				in.Name, in.Connections, in.Requests, in.Share, want)
		}
	}
	if m.Connections != 2 || m.Requests != 5 {
		t.Errorf("%d connections, %d requests, want 2, 5", m.Connections, m.Requests)
	}
}

func TestTimesRunFromTheDueTime(t *testing.T) {
	const ms = time.Millisecond
	m := Measure(SampleList{
		{Connection: 0, Due: 5 * ms, Connected: 7 * ms, FirstByte: 10 * ms, Done: 25 * ms, Instance: "foo"},
		// It was due when its connection stood already.
		{Connection: 0, Due: 20 * ms, Connected: 7 * ms, FirstByte: 21 * ms, Done: 22 * ms, Instance: "foo"},
	}, fleet(1))
	if m.Elapsed != 20*ms { // the first request ends after the second
		t.Errorf("elapsed %s, want 20ms: from the first due time to the last end", m.Elapsed)
	}
	for name, got := range map[string]struct{ q, want Quantiles }{
		"latency":    {m.Latency, quantilesOf([]time.Duration{20 * ms, 2 * ms})},
		"connect":    {m.Connect, quantilesOf([]time.Duration{2 * ms, 0})},
		"first byte": {m.FirstByte, quantilesOf([]time.Duration{5 * ms, 1 * ms})},
		"of foo":     {m.Instances[0].Latency, quantilesOf([]time.Duration{20 * ms, 2 * ms})},
	} {
		if got.q != got.want {
			t.Errorf("%s: %+v, want %+v", name, got.q, got.want)
		}
	}
}

func TestClientsOfAnInstanceAreDistinctAndFew(t *testing.T) {
	var samples []Sample
	for i := range 3 * maxClients {
		s := answer(i, "foo")
		s.ReplicaSaw = netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 19, 0, byte(i / 2)}), uint16(1024+i))
		samples = append(samples, s)
	}
	clients := Measure(SampleList(samples), fleet(1)).Instances[0].Clients
	if len(clients) != maxClients || len(slices.Compact(slices.Sorted(slices.Values(clients)))) != maxClients {
		t.Errorf("clients %v, want %d distinct ones", clients, maxClients)
	}
}

func TestCountFromOutsideReplacesCountsAndShares(t *testing.T) {
	m := Measure(SampleList{answer(0, ""), answer(1, ""), answer(2, ""), answer(3, "")}, fleet(1, 3, 1))
	m.CountFromOutside(map[string]uint64{"foo": 1, "bar": 3})
	if !m.Outside || !slices.Equal(m.Counts(), []int{1, 3, 0}) {
		t.Errorf("outside %v, counts %v", m.Outside, m.Counts())
	}
	for i, want := range []struct{ share, expected float64 }{{0.25, 0.2}, {0.75, 0.6}, {0, 0.2}} {
		if in := m.Instances[i]; !near(in.Share, want.share) || !near(in.Expected, want.expected) {
			t.Errorf("%s has a share of %v where %v was expected, want %v and %v",
				in.Name, in.Share, in.Expected, want.share, want.expected)
		}
	}
}

// TestSharesSumToOne holds Measure against random samples.
func TestSharesSumToOne(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		replicas := fleet(make([]float64, 1+random.IntN(6))...)
		for i := range replicas {
			replicas[i].Weight = 0.1 + random.Float64()
		}
		samples := make([]Sample, 1+random.IntN(50))
		for i := range samples {
			samples[i] = answer(i, InstanceName(random.IntN(8)))
		}
		m := Measure(SampleList(samples), replicas)
		var share, expected float64
		count := 0
		for _, in := range m.Instances {
			share, expected, count = share+in.Share, expected+in.Expected, count+in.Connections
		}
		if math.Abs(share-1) > 1e-9 || math.Abs(expected-1) > 1e-9 || count != len(samples) {
			t.Fatalf("shares sum to %v, expected ones to %v, counts to %d of %d", share, expected, count, len(samples))
		}
	}
}

// nearestRank is the definition: the least value that at least per1000 of 1,000
// values do not exceed.
func nearestRank(d []time.Duration, per1000 int) time.Duration {
	for _, x := range d {
		atMost := 0
		for _, y := range d {
			if y <= x {
				atMost++
			}
		}
		if 1000*atMost >= per1000*len(d) {
			return x
		}
	}
	panic("the greatest value has all at or below it")
}

func TestQuantilesAreOfTheNearestRank(t *testing.T) {
	if q := quantilesOf(nil); q != (Quantiles{}) {
		t.Errorf("of nothing: %+v", q)
	}
	random := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1, 2, 9, 10, 11, 99, 100, 101, 999, 1000, 1001}
	for range 60 {
		sizes = append(sizes, 1+random.IntN(300))
	}
	for _, n := range sizes {
		d := make([]time.Duration, n)
		var sum time.Duration
		for i := range d {
			d[i] = time.Duration(random.IntN(2 * n))
			sum += d[i]
		}
		got := quantilesOf(d)
		slices.Sort(d)
		want := Quantiles{
			Count: n, Min: slices.Min(d), Max: slices.Max(d), Mean: sum / time.Duration(n),
			P50: nearestRank(d, 500), P90: nearestRank(d, 900), P99: nearestRank(d, 990), P999: nearestRank(d, 999),
		}
		if got != want {
			t.Fatalf("of %d values: %+v, want %+v", n, got, want)
		}
	}
}

func quantilesOf(durations []time.Duration) Quantiles {
	var d Distribution
	for _, x := range durations {
		d.Record(x)
	}
	return d.Quantiles()
}
