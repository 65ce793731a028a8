package load

import (
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// endpoint is a target as the raw driver dials it.
type endpoint struct {
	address netip.AddrPort
	raw     address
	request []byte // of HTTP
	last    []byte // the same, but the server is asked to close afterwards
}

// newEndpoints returns a lab.UsageError as newTargets does, and for a Host
// header that would break the request.
func newEndpoints(to []netip.AddrPort, p lab.Plan) ([]endpoint, error) {
	addresses, err := checkTargets(to, p.Path)
	if err != nil {
		return nil, err
	}
	for i := range len(p.Host) {
		if p.Host[i] <= ' ' || p.Host[i] == 0x7f {
			return nil, lab.Usagef("the host must have no spaces or control characters, not %q", p.Host)
		}
	}
	var all []endpoint
	for _, a := range addresses {
		e := endpoint{address: a, raw: newAddress(a), request: get(a, p.Host, p.Path, "")}
		e.last = get(a, p.Host, p.Path, closeConnection)
		if p.CloseFirst == lab.ClientEnd {
			e.last = e.request // as curl does: the server learns it when it happens
		}
		all = append(all, e)
	}
	return all, nil
}

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
