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

// target is an address to dial and what is said there.
type target struct {
	address netip.AddrPort
	request []byte
}

// newTargets returns a lab.UsageError as checkTargets does.
func newTargets(addresses []netip.AddrPort, path string) ([]target, error) {
	addresses, err := checkTargets(addresses, path)
	if err != nil {
		return nil, err
	}
	var all []target
	for _, a := range addresses {
		all = append(all, target{address: a, request: get(a, "", path, closeConnection)})
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

// domain is the socket domain of all targets.
func domain(targets []target) int {
	if targets[0].address.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// pick chooses the target of one connection, as pickIndex does.
func pick(targets []target, seed uint64, connection int) *target {
	return &targets[pickIndex(len(targets), seed, uint64(connection))]
}

// pickIndex chooses one of n, uniformly at random but for one part in 2^64/n. It
// depends on the seed and the connection's number alone, so that a load can be
// repeated however its workers are scheduled.
func pickIndex(n int, seed, connection uint64) int {
	if n == 1 {
		return 0
	}
	var r rand.PCG // on the stack: rand.New would allocate for each connection
	r.Seed(seed, connection)
	index, _ := bits.Mul64(r.Uint64(), uint64(n))
	return int(index)
}
