package servers

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
)

func upstreams(weights ...float64) []Upstream {
	all := make([]Upstream, len(weights))
	for i, w := range weights {
		all[i] = Upstream{Address: netip.AddrPortFrom(netip.IPv6Loopback(), uint16(i+1)), Weight: w}
	}
	return all
}

// turns writes n turns as letters, the first upstream being a.
func turns(b *balancer, n int) string {
	var s strings.Builder
	for range n {
		s.WriteByte('a' + byte(b.next().Port()-1))
	}
	return s.String()
}

func TestSmoothWeightedRoundRobin(t *testing.T) {
	for _, c := range []struct {
		weights []float64
		want    string
	}{
		{[]float64{5, 1, 1}, "aabacaaaabacaa"}, // the example of nginx's commit, twice
		{[]float64{1, 1, 1}, "abcabcabc"},
		{[]float64{1}, "aaaa"},
		{[]float64{0.75, 0.25}, "aabaaaba"},
	} {
		if got := turns(newBalancer(upstreams(c.weights...)), len(c.want)); got != c.want {
			t.Errorf("weights %v give %s, want %s", c.weights, got, c.want)
		}
	}
}

func TestTurnIsSharedByAll(t *testing.T) {
	const callers, each = 8, 100
	b := newBalancer(upstreams(1, 1, 2))
	var mu sync.Mutex
	got := map[uint16]int{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				port := b.next().Port()
				mu.Lock()
				got[port]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got[1] != 200 || got[2] != 200 || got[3] != 400 {
		t.Errorf("%d turns by weights 1, 1, 2: %v", callers*each, got)
	}
}
