package load

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// target is an address to dial and what is said there.
type target struct {
	address netip.AddrPort
	request []byte
}

// newTargets returns a lab.UsageError for addresses that cannot be dialled, for
// ones of different families, and for a path that would break the request line.
func newTargets(addresses []netip.AddrPort, path string) ([]target, error) {
	if len(addresses) == 0 {
		return nil, lab.Usagef("there is no target to dial: give at least one address and port")
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] == 0x7f {
			return nil, lab.Usagef("the path of the request must have no spaces or control characters, not %q: percent-encode them", path)
		}
	}
	var all []target
	for _, a := range addresses {
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if err := dialable(a); err != nil {
			return nil, err
		}
		if len(all) > 0 && all[0].address.Addr().Is4() != a.Addr().Is4() {
			return nil, lab.Usagef("the targets must be of one IP version, not %s and %s", all[0].address, a)
		}
		all = append(all, target{address: a, request: request(a, path)})
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

// request is a whole HTTP/1.1 request (RFC 9112) that asks the server to close
// the connection after its answer.
func request(to netip.AddrPort, path string) []byte {
	// A zone has no meaning outside the client and is no part of Host (RFC 6874, 1).
	host := netip.AddrPortFrom(to.Addr().WithZone(""), to.Port())
	return fmt.Appendf(nil,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: portlab\r\nAccept: */*\r\nConnection: close\r\n\r\n",
		path, host)
}

// domain is the socket domain of all targets.
func domain(targets []target) int {
	if targets[0].address.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// pick chooses the target of one request, uniformly at random. It depends on
// the seed and the request's number alone, so that a load can be repeated
// however its workers are scheduled.
func pick(targets []target, seed uint64, request int) *target {
	if len(targets) == 1 {
		return &targets[0]
	}
	r := rand.New(rand.NewPCG(seed, uint64(request)))
	return &targets[r.IntN(len(targets))]
}
