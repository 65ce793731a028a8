package strategies

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// outside is a new connection from another machine to an address of the host.
func outside(to string) labtest.Packet {
	return labtest.Packet{In: "lan", Source: addr("198.19.0.2:40000"), Destination: addr(to)}
}

// counts traces n new connections and counts them by the replica they reach.
func counts(t *testing.T, h *labtest.Host, to []lab.Replica, n int) []int {
	t.Helper()
	index := map[netip.AddrPort]int{}
	for i, r := range to {
		index[r.Address] = i
	}
	c := make([]int, len(to))
	for range n {
		got := h.Trace(outside("198.19.0.1:8080"))
		i, ok := index[got.Destination]
		if !ok || got.Lost != "" {
			t.Fatalf("%+v, want it at a replica", got)
		}
		c[i]++
	}
	return c
}

// near fails unless each count is within five standard deviations of its share.
func near(t *testing.T, got []int, shares []float64) {
	t.Helper()
	n := 0
	for _, k := range got {
		n += k
	}
	for i, p := range shares {
		want, sd := p*float64(n), math.Sqrt(float64(n)*p*(1-p))
		if math.Abs(float64(got[i])-want) > 5*sd+1e-9 {
			t.Errorf("replica %d got %d of %d, want %.0f", i, got[i], n, want)
		}
	}
}

// eachNAT runs a test for each of the strategies that rewrite the destination
// in the kernel and choose at random.
func eachNAT(t *testing.T, f func(*testing.T, lab.Strategy)) {
	for _, s := range []lab.Strategy{dnat{}, nft{lab.MethodRandom}} {
		t.Run(s.Name(), func(t *testing.T) { f(t, s) })
	}
}

func TestNATIsUniform(t *testing.T) {
	p := onEngine("aaaaaa")
	eachNAT(t, func(t *testing.T, s lab.Strategy) {
		for _, c := range []struct{ replicas, connections int }{{1, 1000}, {2, 30_000}, {3, 300_000}, {10, 30_000}, {100, 30_000}} {
			to := p.replicas(0, c.replicas)
			near(t, counts(t, p.exposed(t, s, to), to, c.connections), lab.Shares(to))
		}
	})
}

func TestNATFollowsWeights(t *testing.T) {
	p := onEngine("aaaaaa")
	eachNAT(t, func(t *testing.T, s lab.Strategy) {
		for _, weights := range [][]float64{{3, 1}, {1, 3}, {0.5, 0.25, 0.25}, {1, 2, 3, 4}, {1000, 1}, {0.1, 0.2}} {
			to := p.replicas(0, len(weights))
			for i, w := range weights {
				to[i].Weight = w
			}
			near(t, counts(t, p.exposed(t, s, to), to, 30_000), lab.Shares(to))
		}
	})
}

// Each of n rules takes 1/n of what the rules before it left over.
func TestDNATNaiveFavoursTheLast(t *testing.T) {
	p := onEngine("aaaaaa")
	for _, n := range []int{2, 3, 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			to := p.replicas(0, n)
			shares, left := make([]float64, n), 1.0
			for i := range n - 1 {
				shares[i] = left / float64(n)
				left -= shares[i]
			}
			shares[n-1] = left
			got := counts(t, p.exposed(t, dnatNaive{}, to), to, 100_000)
			near(t, got, shares)
			if n == 10 && (got[9] < 38_000 || got[9] > 39_500) {
				t.Errorf("the last of ten got %d of 100,000, want about 38,700", got[9])
			}
		})
	}
}

// From every vantage that a strategy does not rule out, each replica is
// reached, and sees the address that the caveats say; from any other, none.
func TestNATServesEveryVantage(t *testing.T) {
	for name, p := range places("aaaaaa") {
		for _, s := range append(nftVariants(), dnat{}, reuseport{}) {
			p = p.of(s)
			if !p.carries(s) || len(p.steps(t, s, p.replicas(0, 3))) == 0 {
				continue // the engine does it, or it cannot be done
			}
			for _, v := range lab.Vantages() {
				t.Run(name+"/"+lab.FullName(s)+"/"+string(v), func(t *testing.T) { servesVantage(t, p, s, v) })
			}
		}
	}
}

func servesVantage(t *testing.T, p place, s lab.Strategy, v lab.Vantage) {
	t.Helper()
	to := p.replicas(0, 3)
	h := p.exposed(t, s, to)
	packet, saw := p.packet(v)
	reached := map[netip.AddrPort]bool{}
	for i := range 100 { // the caller itself is reached, too
		packet.Source = netip.AddrPortFrom(packet.Source.Addr(), uint16(40000+i))
		got := h.Trace(packet)
		if !p.facts.Subnet.Contains(got.Destination.Addr()) {
			continue
		}
		if got.Lost != "" || got.Source.Addr() != saw {
			t.Fatalf("%+v, want it at a replica, which sees %s", got, saw)
		}
		reached[got.Destination] = true
	}
	for _, r := range to {
		if want := s.Needs().WhyNotFrom(v, p.facts.Family) == ""; reached[r.Address] != want {
			t.Errorf("%s is reached: %v, want %v", r.Address, reached[r.Address], want)
		}
	}
}

// What is not meant for the front is as it was without the strategy.
func TestNATLeavesOtherTrafficAlone(t *testing.T) { eachNAT(t, leavesOtherTrafficAlone) }

func leavesOtherTrafficAlone(t *testing.T, s lab.Strategy) {
	p := onEngine("aaaaaa")
	before, after := p.host(t), p.exposed(t, s, p.replicas(0, 3))
	bridge := p.facts.Bridge
	// Somebody else's translation of the same port, of an address elsewhere.
	const others = "iptables -t nat -A PREROUTING -d 203.0.113.9 -p tcp --dport 8080 -j DNAT --to-destination 198.18.0.9:80"
	for _, h := range []*labtest.Host{before, after} {
		if err := h.Shell(others); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := after.Shell(strings.Replace(others, "-A", "-D", 1)); err != nil {
			t.Error(err)
		}
	})
	for name, packet := range map[string]labtest.Packet{
		"another port of the host":              outside("198.19.0.1:8081"),
		"udp":                                   {Protocol: "udp", In: "lan", Source: addr("198.19.0.2:1"), Destination: addr("198.19.0.1:8080")},
		"forwarded to port 8080 elsewhere":      outside("203.0.113.1:8080"),
		"translated by others, from outside":    outside("203.0.113.9:8080"),
		"translated by others, from a replica":  {In: bridge, Source: addr("198.18.0.2:1"), Destination: addr("203.0.113.9:8080")},
		"to a replica's own address":            outside("198.18.0.2:80"),
		"to another port of a replica":          outside("198.18.0.2:22"),
		"sent by the host to 8080 elsewhere":    {Source: addr("198.19.0.1:1"), Destination: addr("203.0.113.1:8080")},
		"sent by the host to a replica":         {Source: addr("198.18.0.1:1"), Destination: addr("198.18.0.2:8080")},
		"sent by a replica to 8080 elsewhere":   {In: bridge, Source: addr("198.18.0.2:1"), Destination: addr("203.0.113.1:8080")},
		"sent by a replica to another replica":  {In: bridge, Source: addr("198.18.0.2:1"), Destination: addr("198.18.0.3:80")},
		"another port of 127.0.0.1":             {Source: addr("127.0.0.1:1"), Destination: addr("127.0.0.1:8081")},
		"another address of 127.0.0.0/8":        {Source: addr("127.0.0.1:1"), Destination: addr("127.0.0.2:8080")},
		"a replica's to another port of a host": {In: bridge, Source: addr("198.18.0.2:1"), Destination: addr("198.19.0.1:22")},
	} {
		t.Run(name, func(t *testing.T) {
			if was, is := before.Trace(packet), after.Trace(packet); was != is {
				t.Errorf("%+v, was %+v", is, was)
			}
		})
	}
}

// What carries UDP leaves TCP alone at the same port, and the other way round.
func TestNATIsOfOneTransport(t *testing.T) {
	p := onEngine("aaaaaa").speaking(lab.UDP)
	eachNAT(t, func(t *testing.T, s lab.Strategy) {
		h := p.exposed(t, s, p.replicas(0, 2))
		if got := h.Trace(outside("198.19.0.1:8080")); got.Out != "lo" || got.Destination != addr("198.19.0.1:8080") {
			t.Errorf("TCP: %+v, want it left alone", got)
		}
		packet, _ := p.packet(lab.External)
		if got := h.Trace(packet); got.Lost != "" || !p.facts.Subnet.Contains(got.Destination.Addr()) {
			t.Errorf("UDP: %+v, want it at a replica", got)
		}
	})
}

// route_localnet must not open the host's loopback address to the replicas.
func TestNATKeepsReplicasFromLoopback(t *testing.T) {
	p := onEngine("aaaaaa")
	eachNAT(t, func(t *testing.T, s lab.Strategy) {
		h := p.exposed(t, s, p.replicas(0, 1))
		got := h.Trace(labtest.Packet{In: p.facts.Bridge, Source: addr("198.18.0.2:1"), Destination: addr("127.0.0.1:22")})
		if !strings.Contains(got.Lost, "dropped by a rule") {
			t.Errorf("%+v, want it dropped", got)
		}
	})
}

// An update sends nothing more to a replica that has left, and forgets what
// the kernel tracks of it and of nobody else.
func TestNATUpdateForgetsTheGone(t *testing.T) { eachNAT(t, updateForgetsTheGone) }

func updateForgetsTheGone(t *testing.T, s lab.Strategy) {
	p := onEngine("aaaaaa")
	all := p.replicas(0, 3)
	h := p.host(t)
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, p.steps(t, s, all))
	if err != nil {
		t.Fatal(err)
	}
	front := addr("198.19.0.1:8080")
	kept := labtest.Flow{Front: front, Replica: all[0].Address}
	other := labtest.Flow{Front: addr("198.19.0.1:9999"), Replica: all[2].Address}
	h.Track(kept)
	h.Track(other)
	want := h.Dump()
	h.Track(labtest.Flow{Front: front, Replica: all[2].Address})
	if err := x.Update(t.Context(), p.steps(t, s, all[:2])); err != nil {
		t.Fatal(err)
	}
	if got := flowLines(h.Dump()); got != flowLines(want) {
		t.Errorf("flows after the update:\n%swant\n%s", got, flowLines(want))
	}
	near(t, counts(t, h, all, 10_000), []float64{0.5, 0.5, 0})
}

func flowLines(dump string) string {
	var b strings.Builder
	for line := range strings.Lines(dump) {
		if strings.HasPrefix(line, "flow ") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// A host with one address only, and a runtime that says nothing of forwarding.
func TestNATOnPartsOfAFront(t *testing.T) { eachNAT(t, onPartsOfAFront) }

func onPartsOfAFront(t *testing.T, s lab.Strategy) {
	p := bare("aaaaaa")
	p.front.Address = netip.Addr{}
	h := bare("aaaaaa").host(t)
	if _, err := lab.Expose(t.Context(), h, &labtest.Journal{}, p.steps(t, s, p.replicas(0, 2))); err != nil {
		t.Fatal(err)
	}
	got := h.Trace(labtest.Packet{Source: addr("127.0.0.1:1"), Destination: addr("127.0.0.1:8080")})
	if got.Lost != "" || !p.facts.Subnet.Contains(got.Destination.Addr()) {
		t.Errorf("%+v, want it at a replica", got)
	}
	if got := h.Trace(outside("198.19.0.1:8080")); got.Out != "lo" {
		t.Errorf("%+v, want it left alone", got)
	}
	if _, err := s.Steps(p.facts, p.front, nil); err == nil {
		t.Error("steps to no replica at all")
	}
	six := bare6("aaaaaa")
	six.front.Address = netip.Addr{}
	if _, err := s.Steps(six.facts, six.front, six.replicas(0, 2)); err == nil {
		t.Error("steps to a front on ::1 alone, which rules cannot serve")
	}
}

// The example of docs/adding-a-strategy.md takes turns: of any n connections in
// a row each of n replicas gets one.
func TestExampleTakesTurns(t *testing.T) {
	p := onEngine("aaaaaa")
	for _, n := range []int{1, 2, 3, 10} {
		to := p.replicas(0, n)
		h := p.exposed(t, dnatInTurn{}, to)
		for range 5 {
			for i, k := range counts(t, h, to, n) {
				if k != 1 {
					t.Errorf("replica %d of %d got %d of %d connections in a row, want 1", i, n, k, n)
				}
			}
		}
	}
}
