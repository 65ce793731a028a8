package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/portlab/portlab/lab"
)

// fixture is a made-up run: the same every time.
type fixture struct {
	name     string
	weights  []float64 // of the replicas
	counts   []int     // connections of each; the rest of the requests fail
	failures map[lab.Fault]int
	edit     func(*lab.Result, lab.SampleList)
	verdicts func(*lab.Result) []lab.Verdict
}

func equal(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

func fixtures() []fixture {
	return []fixture{
		{name: "balanced", weights: equal(2), counts: []int{158, 142}, verdicts: balancedVerdicts},
		{name: "skewed", weights: equal(10), counts: []int{396, 367, 337, 284, 263, 230, 208, 187, 183, 1545},
			edit: func(r *lab.Result, _ lab.SampleList) {
				r.Strategy, r.Summary = "dnat-naive", "the cascade of 10% each, as published: a trap"
				r.Caveats = append([]string{"This cascade is skewed by design: use dnat."}, r.Caveats...)
			}, verdicts: skewedVerdicts},
		{name: "failed", weights: equal(2), counts: []int{0, 0},
			failures: map[lab.Fault]int{lab.Refused: 290, lab.ConnectTimeout: 10}, verdicts: failedVerdicts},
		{name: "thousand", weights: equal(1000), counts: uneven(1000), verdicts: manyVerdicts},
		{name: "outside", weights: equal(2), counts: []int{151, 149}, edit: fromOutside, verdicts: balancedVerdicts},
		{name: "open", weights: equal(2), counts: []int{2010, 1980}, edit: overloaded,
			failures: map[lab.Fault]int{lab.ClientLimit: 10}, verdicts: balancedVerdicts},
		{name: "datagrams", weights: equal(2), counts: []int{505, 480}, edit: overUDP,
			failures: map[lab.Fault]int{lab.ReadTimeout: 15}, verdicts: balancedVerdicts},
		{name: "proxy", weights: equal(2), counts: []int{150, 150}, edit: proxied, verdicts: balancedVerdicts},
		{name: "weights", weights: []float64{3, 1}, counts: []int{231, 69}, verdicts: balancedVerdicts},
		{name: "emulated", weights: equal(2), counts: []int{502, 494}, edit: onEmulator,
			failures: map[lab.Fault]int{lab.Reset: 4}, verdicts: emulatedVerdicts},
	}
}

// uneven are counts around 3 for each of n replicas; two of them are silent.
func uneven(n int) []int {
	random := rand.New(rand.NewPCG(1, 2))
	counts := make([]int, n)
	for i := range counts {
		counts[i] = max(3+int(math.Round(1.5*random.NormFloat64())), 1)
	}
	counts[7], counts[511] = 0, 0
	return counts
}

// make folds the made-up samples into a result, as a run does.
func (f fixture) make() (*lab.Result, lab.SampleList) {
	r := baseResult()
	r.Replicas = len(f.weights)
	for i, w := range f.weights {
		at := netip.AddrFrom4([4]byte{198, 18, byte(i / 250), byte(i%250 + 2)})
		r.Fleet = append(r.Fleet, lab.Replica{Instance: lab.InstanceName(i), Address: netip.AddrPortFrom(at, 80), Weight: w})
	}
	samples := f.samples()
	r.Plan.Requests = len(samples)
	var accepted map[string]uint64
	if f.edit != nil {
		f.edit(r, samples)
		accepted = r.Accepted()
	}
	r.Fold(samples, accepted)
	r.Verdicts = f.verdicts(r)
	return r, samples
}

func (f fixture) samples() lab.SampleList {
	var kinds lab.SampleList
	for i, n := range f.counts {
		for k := range n {
			kinds = append(kinds, lab.Sample{Instance: lab.InstanceName(i), Status: 200,
				ReplicaConnection: uint64(k + 1), ReplicaRequest: 1, Service: 40 * time.Microsecond})
		}
	}
	for _, fault := range lab.Faults() {
		for range f.failures[fault] {
			kinds = append(kinds, lab.Sample{Fault: fault, Detail: "connect: " + string(fault) + " by 198.18.0.2:80"})
		}
	}
	random := rand.New(rand.NewPCG(3, 4))
	random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	for i := range kinds {
		place(&kinds[i], i, random)
	}
	return kinds
}

// place gives the i-th sample its time, its addresses and its latency.
func place(s *lab.Sample, i int, random *rand.Rand) {
	s.Request, s.Connection = i, i
	s.Due = time.Duration(i) * time.Millisecond
	s.Begun = s.Due
	took := time.Duration(float64(time.Millisecond) * math.Exp(0.4*random.NormFloat64()))
	s.Done = s.Due + took
	s.Local = netip.AddrPortFrom(netip.MustParseAddr("198.19.0.2"), uint16(32768+i%28000))
	s.Target = netip.MustParseAddrPort("198.19.0.1:8080")
	if s.OK() {
		s.Connected, s.FirstByte = s.Due+took/4, s.Done-took/10
		s.ReplicaSaw = s.Local
	}
}

// fromOutside makes the server the user's own: answers do not say who gave them.
func fromOutside(r *lab.Result, samples lab.SampleList) {
	counts := map[string]int{}
	for i := range samples {
		s := &samples[i]
		counts[s.Instance]++
		s.Instance, s.ReplicaConnection, s.ReplicaRequest, s.Service = "", 0, 0, 0
		s.ReplicaSaw = netip.AddrPort{}
	}
	r.Image, r.CountedOutside = "registry.example/shop/web:1.4", true
	for _, replica := range r.Fleet {
		r.Instances = append(r.Instances, lab.InstanceResult{Name: replica.Instance, Connections: counts[replica.Instance]})
	}
}

// overloaded makes the load an open loop that the replicas do not keep up with:
// requests wait longer and longer for one of those under way.
func overloaded(r *lab.Result, samples lab.SampleList) {
	r.Plan.Rate, r.Plan.Arrivals, r.Plan.Concurrency, r.Plan.Ramp = 1000, lab.Poisson, 64, time.Second
	r.Plan.PerConnection, r.Plan.Clients, r.Plan.WarmUp = 0, 8, 500*time.Millisecond
	r.Client = lab.Client{
		Driver: "raw", CPUs: []int{0, 1}, UserCPU: 40 * time.Millisecond, SystemCPU: 120 * time.Millisecond,
		Late: 50, Queued: 3900, Backlog: 480, ClosedFirst: 3, Ports: 28232,
	}
	for i := range samples {
		s := &samples[i]
		if s.Connection %= 64; !s.OK() {
			s.Detail = "connect: cannot assign requested address"
		}
		wait := time.Duration(i) * 200 * time.Microsecond
		s.Begun, s.Done = s.Begun+wait, s.Done+wait
		if s.OK() {
			s.Connected, s.FirstByte = time.Duration(i%64)*time.Microsecond, s.FirstByte+wait
		}
	}
}

// proxied makes the strategy one with options, on a fleet that says what it uses.
func proxied(r *lab.Result, _ lab.SampleList) {
	r.Strategy, r.Name, r.Summary = "nginx", "nginx:method=random", "nginx accepts connections and makes its own to the replicas"
	r.Settings = map[string]string{"method": "random", "mode": "http"}
	r.Cost = &lab.Cost{
		Client: 30 * time.Millisecond, Replicas: 24 * time.Millisecond, Sidecars: 45 * time.Millisecond, Rest: 6 * time.Millisecond,
		Machine: 110 * time.Millisecond, Stolen: 2 * time.Millisecond, ReplicasMemoryBytes: 24 << 20, SidecarsMemoryBytes: 5<<20 + 300<<10,
	}
	r.Behaviour = &lab.Behaviour{Name: lab.LooksRandom, Sentence: "neighbouring connections go to the same instance as often as chance has it."}
}

// overUDP makes the load one of datagrams.
func overUDP(r *lab.Result, samples lab.SampleList) {
	r.Plan.Protocol, r.Plan.Duration, r.Plan.Streams, r.Plan.Path = lab.UDP, time.Second, 8, "/?body=100"
	r.Client = lab.Client{Driver: "raw", UserCPU: 2 * time.Millisecond, SystemCPU: 9 * time.Millisecond, Ports: 28232}
	for i := range samples {
		s := &samples[i]
		s.Connected = 0
		s.Status = 0
		s.Reordered = i%100 == 50 && s.OK()
		if i%200 == 7 {
			s.Duplicates = 1
		}
	}
}

func plan() lab.Plan {
	p := lab.DefaultPlan()
	p.Concurrency, p.Timeout, p.Seed = 4, 5*time.Second, 7
	return p
}

func baseResult() *lab.Result {
	return &lab.Result{
		SchemaVersion: lab.SchemaVersion, Run: "k3f9a2",
		Started:  time.Date(2025, 3, 14, 9, 26, 53, 589e6, time.UTC),
		Command:  []string{"portlab", "run", "dnat", "--replicas", "2", "--path", "/?delay=5ms&x='1'"},
		Strategy: "dnat", Summary: "iptables picks a replica for each connection", Runtime: "docker",
		Vantage: lab.External, Null: lab.Random, Family: lab.IPv4,
		Front: lab.Front{Address: netip.MustParseAddr("198.19.0.1"), Loopback: netip.MustParseAddr("127.0.0.1"), Port: 8080},
		Plan:  plan(),
		Environment: lab.Environment{
			Kernel: "6.1.0-18-amd64", OS: "Debian GNU/Linux 12 (bookworm)", CPU: "Example CPU @ 2.60GHz", CPUs: 2, MemoryMiB: 7936,
			Engine: "Docker 20.10.24", Firewall: "iptables v1.8.9 (nf_tables)",
			Sysctls:  map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.tcp_tw_reuse": "2"},
			Versions: map[string]string{"portlab": "0.1.0", "go": "go1.26.0"},
			Notes:    []string{"The machine has two cores, which the client and the replicas share."},
		},
		Timings: lab.Timings{
			Total: 1900 * time.Millisecond, Sweep: 12 * time.Millisecond, Open: 700 * time.Millisecond,
			Expose: 38 * time.Millisecond, Probe: 21 * time.Millisecond, Load: 310 * time.Millisecond,
			Judge: 4 * time.Millisecond, Revert: 30 * time.Millisecond, Close: 750 * time.Millisecond,
		},
		Path:    []string{"The client's SYN arrives at 198.19.0.1:8080.", "nat PREROUTING rewrites its destination to a replica's.", "The replica answers; conntrack restores the source."},
		Caveats: []string{"An entry of conntrack sticks to a replica that has gone until it is deleted."},
		Shell:   []string{"iptables -t nat -N PORTLAB-k3f9a2-DNAT", "iptables -t nat -A PORTLAB-k3f9a2-DNAT -p tcp -m statistic --mode random --probability 0.5 -j DNAT --to-destination 198.18.0.2:80"},
		Undo:    []string{"iptables -t nat -F PORTLAB-k3f9a2-DNAT", "iptables -t nat -X PORTLAB-k3f9a2-DNAT"},
		Sources: []string{"iptables-extensions(8), statistic"},
	}
}

func shareIntervals(r *lab.Result) []lab.ShareInterval {
	var all []lab.ShareInterval
	for _, in := range r.Instances {
		half := 2.24 * math.Sqrt(in.Share*(1-in.Share)/float64(max(r.Connections, 1)))
		all = append(all, lab.ShareInterval{Instance: in.Name, Expected: in.Expected, Share: in.Share,
			Low: max(in.Share-half, 0), High: min(in.Share+half, 1)})
	}
	return all
}

func balancedVerdicts(r *lab.Result) []lab.Verdict {
	return []lab.Verdict{
		{Claim: "shares within 20% of those meant", Outcome: lab.Held, N: r.Connections, Alpha: 0.01,
			Sentence: "balanced: every share within 7 points of equal with 95% confidence; 300 connections would show a 58/42 split, not a 52/48 one.",
			Test:     "Pearson chi-square", Statistic: new(0.853), PValue: new(0.356), Effect: new(0.0533), EffectName: "Cohen's w",
			Interval: &[2]float64{0.455, 0.598}, Confidence: 0.95, Shares: shareIntervals(r)},
		{Claim: "latency does not depend on the instance", Outcome: lab.Inconclusive, N: r.Requests, NeedN: 19623, Alpha: 0.01,
			Sentence: "latency may differ by instance, too little to be seen here.", Test: "chi-square of latency class by instance",
			Statistic: new(2.41), PValue: new(0.492), Effect: new(0.0896), EffectName: "Cramér's V",
			Warnings: []string{"few requests in the slowest class"}},
		{Claim: "nothing is lost", Outcome: lab.Held, Asked: true, N: r.Requests, Sentence: "nothing was lost."},
	}
}

func skewedVerdicts(r *lab.Result) []lab.Verdict {
	return []lab.Verdict{{Claim: "shares within 20% of those meant", Outcome: lab.Refuted, Asked: true, N: r.Connections, Alpha: 0.01,
		Sentence: "skewed: fred got 38.6% of the connections and was meant to get 10%.",
		Test:     "Pearson chi-square", Statistic: new(3797.9), PValue: new(0.0), Effect: new(0.974), EffectName: "Cohen's w",
		Interval: &[2]float64{0.366, 0.407}, Confidence: 0.95, Shares: shareIntervals(r)}}
}

func failedVerdicts(r *lab.Result) []lab.Verdict {
	return []lab.Verdict{
		{Claim: "shares within 20% of those meant", Outcome: lab.Inconclusive, Sentence: "no connection was answered.", Warnings: []string{"no data"}},
		{Claim: "nothing is lost", Outcome: lab.Refuted, N: r.Requests, Sentence: fmt.Sprintf("%d requests were lost.", r.Requests)},
	}
}

func manyVerdicts(r *lab.Result) []lab.Verdict {
	return []lab.Verdict{{Claim: "shares within 20% of those meant", Outcome: lab.Held, N: r.Connections,
		Sentence: "balanced, as far as these data show.", Test: "Pearson chi-square", Statistic: new(961.2), PValue: new(0.8),
		Interval: &[2]float64{0, 0.0024}, Confidence: 0.95, Shares: shareIntervals(r)}}
}
