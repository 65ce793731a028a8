package load

import (
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// sourcesOf are the addresses that several clients use, none for one client. It
// returns a lab.UnsupportedError if the place has fewer.
func sourcesOf(at lab.Place, clients int, to []endpoint) ([]address, error) {
	if clients == 1 {
		return nil, nil
	}
	var sources []address
	if s, ok := at.(lab.SourcePlace); ok {
		for _, a := range s.Sources() {
			if usable(a, to) && len(sources) < clients {
				sources = append(sources, newAddress(netip.AddrPortFrom(a, 0)))
			}
		}
	}
	if len(sources) < clients {
		return nil, &lab.UnsupportedError{
			What:   fmt.Sprintf("%d client addresses", clients),
			Reason: fmt.Sprintf("the client's place has %d from which it can reach %s", max(len(sources), 1), to[0].address),
			Remedy: "ask for no more, or for a client at a place with more: --vantage external",
		}
	}
	return sources, nil
}

// usable says whether a source address fits the targets: an address of the
// loopback link reaches nothing else.
func usable(source netip.Addr, to []endpoint) bool {
	for i := range to {
		target := to[i].address.Addr()
		if source.Is4() != target.Is4() || source.IsLoopback() && !target.IsLoopback() {
			return false
		}
	}
	return true
}
