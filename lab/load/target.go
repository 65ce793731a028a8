package load

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// endpoint is a target and what is said there.
type endpoint struct {
	address netip.AddrPort
	raw     address
	request []byte // of HTTP
	last    []byte // the same, but the server is asked to close afterwards
}

// newEndpoints returns a lab.UsageError as checkTargets does, and for a Host
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

// checkTargets returns the addresses as they are dialled, and a lab.UsageError
// for addresses that cannot be, for ones of different families, and for a path
// that would break the request line.
func checkTargets(addresses []netip.AddrPort, path string) ([]netip.AddrPort, error) {
	if len(addresses) == 0 {
		return nil, lab.Usagef("there is no target to dial: give at least one address and port")
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] == 0x7f {
			return nil, lab.Usagef("the path of the request must have no spaces or control characters, not %q: percent-encode them", path)
		}
	}
	var all []netip.AddrPort
	for _, a := range addresses {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if err := dialable(a); err != nil {
			return nil, err
		}
		if len(all) > 0 && all[0].Addr().Is4() != a.Addr().Is4() {
			return nil, lab.Usagef("the targets must be of one IP version, not %s and %s", all[0], a)
		}
		all = append(all, a)
	}
	return all, nil
}

func dialable(a netip.AddrPort) error {
	if !a.IsValid() || a.Port() == 0 {
		return lab.Usagef("the target must have an address and a port, not %s", a)
	}
	zone := a.Addr().Zone()
	if _, err := strconv.ParseUint(zone, 10, 32); zone != "" && err != nil {
		// A link's name would have to be looked up in the client's namespace.
		return lab.Usagef("the zone of target %s must be the index of a link, not its name: see ip link", a)
	}
	return nil
}

// closeConnection asks the server to close the connection after its answer
// (RFC 9112, 9.6).
const closeConnection = "Connection: close\r\n"

// get is a whole HTTP/1.1 request (RFC 9112). An empty host is the address; more
// is a further line of the header, or empty.
func get(to netip.AddrPort, host, path, more string) []byte {
	if host == "" {
		// A zone has no meaning outside the client and is no part of Host (RFC 6874, 1).
		host = netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()).String()
	}
	return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: portlab\r\nAccept: */*\r\n%s\r\n", path, host, more)
}

// familyOf is the domain of sockets for an address.
func familyOf(a netip.AddrPort) int {
	if a.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// pick chooses the target of one connection, uniformly at random but for one
// part in 2^64/n of n targets. It depends on the seed and the connection's
// number alone, so that a load can be repeated however its workers are
// scheduled.
func pick(targets []endpoint, seed, connection uint64) *endpoint {
	if len(targets) == 1 {
		return &targets[0]
	}
	var r rand.PCG // on the stack: rand.New would allocate for each connection
	r.Seed(seed, connection)
	index, _ := bits.Mul64(r.Uint64(), uint64(len(targets)))
	return &targets[index]
}
