package calibrate

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/portlab/portlab/lab"
)

// Balancer is one whose law is known.
type Balancer struct {
	Name    string
	Null    lab.Null // what it claims to do, rightly or not
	Workers int      // that keep their own turn
	// Expected are the shares by the replicas' weights, and True those that it
	// gives in the long run.
	Expected, True []float64
	Concurrency    int // requests under way at once
	// make makes n connections of it.
	make func(rng *rand.Rand, n int) lab.SampleList
}

// Fair says whether its shares are the expected ones.
func (b Balancer) Fair() bool { return b.distance() < 1e-9 }

// distance is the greatest difference of a true share from its expected one, as
// a fraction of the latter.
func (b Balancer) distance() float64 {
	var most float64
	for i, e := range b.Expected {
		most = max(most, math.Abs(b.True[i]-e)/e)
	}
	return most
}

// Evidence is what a run of n connections shows.
func (b Balancer) Evidence(rng *rand.Rand, n int) lab.Evidence {
	return b.evidence(rng, b.make(rng, n))
}

func (b Balancer) evidence(rng *rand.Rand, samples lab.SampleList) lab.Evidence {
	replicas := b.replicas()
	plan := lab.DefaultPlan()
	plan.Requests, plan.Seed, plan.Concurrency = len(samples), rng.Uint64(), max(b.Concurrency, 1)
	return lab.Evidence{
		Measurement: lab.Measure(samples, replicas), Samples: samples, Replicas: replicas,
		Null: b.Null, Workers: b.Workers, Plan: plan, Vantage: lab.External,
	}
}

func (b Balancer) replicas() []lab.Replica {
	all := make([]lab.Replica, len(b.Expected))
	for i, e := range b.Expected {
		all[i] = lab.Replica{Instance: lab.InstanceName(i), Weight: e}
	}
	return all
}

var (
	client = netip.MustParseAddr("198.19.0.2")
	front  = netip.MustParseAddrPort("198.19.0.1:8080")
)

// request is one that an instance answered, after a latency that depends on
// nothing: log-normal about 150 us.
func request(rng *rand.Rand, number, instance int) lab.Sample {
	due := time.Duration(number) * time.Millisecond
	latency := time.Duration(150_000 * math.Exp(0.4*rng.NormFloat64()))
	local := netip.AddrPortFrom(client, uint16(1024+number%60_000))
	return lab.Sample{
		Request: number, Connection: number, Due: due, Begun: due, Connected: due + latency/3,
		FirstByte: due + latency*9/10, Done: due + latency, Local: local, ReplicaSaw: local,
		// Beyond the client's ports comes another port of the front.
		Target:   netip.AddrPortFrom(front.Addr(), front.Port()+uint16(number/60_000)),
		Instance: lab.InstanceName(instance), Status: 200,
	}
}

// oneByOne makes connections of one request, each given to the instance that
// choose says.
func oneByOne(choose func(rng *rand.Rand) func(i int) int) func(*rand.Rand, int) lab.SampleList {
	return func(rng *rand.Rand, n int) lab.SampleList {
		all, next := make(lab.SampleList, n), choose(rng)
		for i := range all {
			all[i] = request(rng, i, next(i))
		}
		return all
	}
}

// pick is the category into which u, uniform on [0, 1), falls.
func pick(shares []float64, u float64) int {
	for i, s := range shares[:len(shares)-1] {
		if u < s {
			return i
		}
		u -= s
	}
	return len(shares) - 1
}

func equal(k int) []float64 {
	all := make([]float64, k)
	for i := range all {
		all[i] = 1 / float64(k)
	}
	return all
}
