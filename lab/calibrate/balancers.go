package calibrate

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/portlab/portlab/lab"
)

// Random spreads each connection independently, by true shares that may differ
// from the expected ones.
func Random(name string, expected, truth []float64) Balancer {
	return Balancer{Name: name, Null: lab.Random, Expected: expected, True: truth,
		make: oneByOne(func(rng *rand.Rand) func(int) int {
			return func(int) int { return pick(truth, rng.Float64()) }
		})}
}

// Even is a fair random balancer of k replicas.
func Even(k int) Balancer {
	return Random(fmt.Sprintf("random, %d replicas", k), equal(k), equal(k))
}

// Split is a random balancer of two replicas, of which the first has a share.
func Split(share float64) Balancer {
	return Random(fmt.Sprintf("random, %.3g/%.3g", 100*share, 100*(1-share)), equal(2), []float64{share, 1 - share})
}

// Cascade gives nine of ten replicas a tenth of what is left, and the last one
// all that then remains, 38.7%: a fault that recipes for iptables have.
func Cascade() Balancer {
	truth, left := equal(10), 1.0
	for i := range 9 {
		truth[i] = left / 10
		left *= 0.9
	}
	truth[9] = left
	return Random("cascade of 10% each", equal(10), truth)
}

// Kubernetes has the shares of kubernetes issue 37932, where 100 requests to
// seven pods were answered 60, 10, 7, 3, 6, 4 and 10 times.
func Kubernetes() Balancer {
	return Random("kubernetes 37932", equal(7), []float64{0.60, 0.10, 0.07, 0.03, 0.06, 0.04, 0.10})
}

// Turns is round robin of k replicas by workers, each of which keeps its own
// turn and gets each connection with the same probability.
func Turns(k, workers int) Balancer {
	return Balancer{Name: fmt.Sprintf("round robin of %d, workers: %d", k, workers), Null: lab.RoundRobin, Workers: workers,
		Expected: equal(k), True: equal(k),
		make: oneByOne(func(rng *rand.Rand) func(int) int {
			turn := make([]int, workers)
			for w := range turn {
				turn[w] = rng.IntN(k)
			}
			return func(int) int {
				w := rng.IntN(workers)
				turn[w]++
				return turn[w] % k
			}
		})}
}

// SoldAsRandom is a balancer that claims to choose at random.
func SoldAsRandom(b Balancer) Balancer {
	b.Name, b.Null = b.Name+", sold as random", lab.Random
	return b
}

// Repeating is random, but for a share of the connections that go where the one
// before went.
func Repeating(k int, share float64) Balancer {
	return Balancer{Name: fmt.Sprintf("random, %.3g%% as the one before", 100*share), Null: lab.Random, Expected: equal(k), True: equal(k),
		make: oneByOne(func(rng *rand.Rand) func(int) int {
			last := rng.IntN(k)
			return func(int) int {
				if rng.Float64() >= share {
					last = rng.IntN(k)
				}
				return last
			}
		})}
}

// LeastBusy gives each connection to the replica with the fewest under way, one
// of several at random, in a closed loop of clients with exponential service times.
func LeastBusy(k, clients int) Balancer {
	return Balancer{Name: fmt.Sprintf("least connections, %d under way", clients), Null: lab.LeastConnections,
		Expected: equal(k), True: equal(k), Concurrency: clients,
		make: oneByOne(func(rng *rand.Rand) func(int) int {
			ends, at, busy := make([]float64, clients), make([]int, clients), make([]int, k)
			return func(i int) int {
				c := 0 // the client that is the first to be done
				for other, end := range ends {
					if end < ends[c] {
						c = other
					}
				}
				if i >= clients {
					busy[at[c]]--
				}
				least, ties := 0, 0
				for r, b := range busy {
					if b < busy[least] {
						least, ties = r, 0
					}
					if b == busy[least] {
						if ties++; rng.IntN(ties) == 0 {
							least = r
						}
					}
				}
				at[c], busy[least] = least, busy[least]+1
				ends[c] += rng.ExpFloat64()
				return least
			}
		})}
}

// Sticky sends all connections of a source to one replica, chosen at random.
func Sticky(k, sources int) Balancer {
	return Balancer{Name: fmt.Sprintf("sticky, sources: %d", sources), Null: lab.HashAddress, Expected: equal(k), True: equal(k),
		make: func(rng *rand.Rand, n int) lab.SampleList {
			all, home, address := make(lab.SampleList, n), make([]int, sources), make([]netip.Addr, sources)
			for s, a := 0, client; s < sources; s, a = s+1, a.Next() {
				home[s], address[s] = rng.IntN(k), a
			}
			for i := range all {
				s := i % sources
				all[i] = request(rng, i, home[s])
				all[i].Local = netip.AddrPortFrom(address[s], all[i].Local.Port())
				all[i].ReplicaSaw = all[i].Local
			}
			return all
		}}
}

// OnlyOne gives everything to the first replica and claims to choose at random.
func OnlyOne(k int) Balancer {
	truth := make([]float64, k)
	truth[0] = 1
	return Random("one instance only", equal(k), truth)
}

// Hash is fair over addresses and ports, each pair of which is used several
// times and goes the same way each time.
func Hash(k, times int) Balancer {
	return Balancer{Name: fmt.Sprintf("hash, each port used %d times", times), Null: lab.Hash, Expected: equal(k), True: equal(k),
		make: func(rng *rand.Rand, n int) lab.SampleList {
			all := make(lab.SampleList, n*times)
			way := make([]int, n)
			for port := range way {
				way[port] = rng.IntN(k)
			}
			for i := range all {
				all[i] = request(rng, i, way[i%n])
				all[i].Local = netip.AddrPortFrom(client, uint16(1024+i%n))
			}
			return all
		}}
}

// KeptAlive is fair over connections, each of which carries several requests.
func KeptAlive(k, requests int) Balancer {
	return Balancer{Name: fmt.Sprintf("random, %d requests a connection", requests), Null: lab.Random, Expected: equal(k), True: equal(k),
		make: func(rng *rand.Rand, n int) lab.SampleList {
			all, instance := make(lab.SampleList, n*requests), 0
			for i := range all {
				connection := i / requests
				if i%requests == 0 {
					instance = rng.IntN(k)
				}
				all[i] = request(rng, i, instance)
				all[i].Connection = connection
			}
			return all
		}}
}

// Slower is a fair random balancer of which the first replica takes a factor
// longer to answer.
func Slower(k int, factor float64) Balancer {
	b := Even(k)
	even := b.make
	b.Name = fmt.Sprintf("random, one replica %g times as slow", factor)
	b.make = func(rng *rand.Rand, n int) lab.SampleList {
		all := even(rng, n)
		for i, s := range all {
			if s.Instance == lab.InstanceName(0) {
				all[i].Done = s.Due + time.Duration(factor*float64(s.Latency()))
			}
		}
		return all
	}
	return b
}
