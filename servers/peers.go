package servers

import (
	"container/list"
	"net/netip"
	"sync"
)

// MaxPeers is how many clients of UDP a server knows, by address and port. One
// more takes the place of the one that was silent for longest, which counts as
// new when it comes again.
const MaxPeers = 65_536

// peers are the clients of UDP, which have no connections: what is counted for
// a connection is counted for an address and port.
type peers struct {
	mu     sync.Mutex
	most   int
	number func() uint64 // of a new one
	by     map[netip.AddrPort]*list.Element
	recent list.List // of *connection; the last one to ask is in front
}

func newPeers(most int, number func() uint64) *peers {
	return &peers{most: most, number: number, by: map[netip.AddrPort]*list.Element{}}
}

// of gives the client at an address.
func (p *peers) of(a netip.AddrPort) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e, known := p.by[a]; known {
		p.recent.MoveToFront(e)
		return e.Value.(*connection)
	}
	if p.recent.Len() == p.most {
		silent := p.recent.Remove(p.recent.Back()).(*connection)
		delete(p.by, silent.client)
	}
	c := &connection{number: p.number(), client: a}
	p.by[a] = p.recent.PushFront(c)
	return c
}
