package servers

import (
	"net/netip"
	"sync"
)

// balancer is the smooth weighted round robin of nginx (its commit "Upstream:
// smooth weighted round-robin balancing" of 2012; ngx_http_upstream_get_peer
// in ngx_http_upstream_round_robin.c): on each turn every peer gains its
// weight, and the peer that has most is taken and loses the sum of all
// weights. Weights 5, 1, 1 give a a b a c a a, not a a a a a b c.
type balancer struct {
	mu    sync.Mutex
	peers []peer
	total float64 // sum of the weights
}

type peer struct {
	Upstream
	current float64
}

func newBalancer(upstreams []Upstream) *balancer {
	b := &balancer{peers: make([]peer, len(upstreams))}
	for i, u := range upstreams {
		b.peers[i].Upstream = u
		b.total += u.Weight
	}
	return b
}

// next takes one turn. All callers share it.
func (b *balancer) next() netip.AddrPort {
	b.mu.Lock()
	defer b.mu.Unlock()
	best := &b.peers[0]
	for i := range b.peers {
		p := &b.peers[i]
		p.current += p.Weight
		if p.current > best.current {
			best = p
		}
	}
	best.current -= b.total
	return best.Address
}
