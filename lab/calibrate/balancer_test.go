package calibrate

import (
	"math/rand/v2"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/stat"
)

// A balancer does in the long run what it is said to do.
func TestBalancersKeepTheirLaw(t *testing.T) {
	const n = 20_000
	for _, b := range []Balancer{
		Even(2), Even(10), Split(0.55), Cascade(), Kubernetes(), OnlyOne(2), Turns(3, 1), Turns(2, 4),
		LeastBusy(2, 8), Repeating(2, 0.1), KeptAlive(4, 10), Hash(4, 3), Slower(2, 2),
	} {
		e := b.Evidence(rand.New(rand.NewPCG(1, 1)), n)
		counts := e.Measurement.Counts()
		if len(counts) != len(b.True) {
			t.Fatalf("%s: %d instances, want %d", b.Name, len(counts), len(b.True))
		}
		for i, in := range stat.SimultaneousShares(counts, 0.9999) {
			if b.True[i] < in.Low || b.True[i] > in.High {
				t.Errorf("%s: share %d in %v, want %v", b.Name, i, in, b.True[i])
			}
		}
	}
}

func TestTurnsAreTaken(t *testing.T) {
	e := Turns(3, 1).Evidence(rand.New(rand.NewPCG(1, 1)), 300)
	for i, c := range e.Measurement.Counts() {
		if c != 100 {
			t.Errorf("instance %d got %d of 300 in turn", i, c)
		}
	}
}

// Connections that share something share their instance.
func TestWhatIsSharedGoesOneWay(t *testing.T) {
	for _, c := range []struct {
		b  Balancer
		of func(lab.Sample) any
		n  int // of different ones
	}{
		{KeptAlive(4, 10), func(s lab.Sample) any { return s.Connection }, 200},
		{Hash(4, 3), func(s lab.Sample) any { return s.Local }, 200},
		{Sticky(2, 8), func(s lab.Sample) any { return s.Local.Addr() }, 8},
	} {
		home := map[any]string{}
		for s := range c.b.Evidence(rand.New(rand.NewPCG(1, 1)), 200).Samples.All() {
			if at := home[c.of(s)]; at != "" && at != s.Instance {
				t.Fatalf("%s: %v went to %s and %s", c.b.Name, c.of(s), at, s.Instance)
			}
			home[c.of(s)] = s.Instance
		}
		if len(home) != c.n {
			t.Errorf("%s: %d of them, want %d", c.b.Name, len(home), c.n)
		}
	}
}

func TestLeastBusyKeepsTheBusyEven(t *testing.T) {
	const clients = 8
	b := LeastBusy(2, clients)
	if b.Evidence(rand.New(rand.NewPCG(1, 1)), 10).Plan.Concurrency != clients {
		t.Error("the plan says otherwise")
	}
	// The first of a closed loop all come at once, so they are parted evenly.
	counts := map[string]int{}
	for _, s := range b.make(rand.New(rand.NewPCG(1, 1)), clients) {
		counts[s.Instance]++
	}
	if len(counts) != 2 || counts[lab.InstanceName(0)] != clients/2 {
		t.Errorf("the first %d went %v", clients, counts)
	}
}
