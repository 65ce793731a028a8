package lab

import "net/netip"

// Named is a [Targeter] whose clients are told a name in place of addresses,
// and look it up for their connections.
type Named interface {
	Targeter
	// Lookup says how. Where there is no fleet yet, the front is the zero one, and
	// what it says of the server means nothing.
	Lookup(front Front, v Vantage) Lookup
}

// Lookup is how clients come by the address of a connection: they ask a server
// of DNS for a name (RFC 1035).
type Lookup struct {
	Client NameClient `json:"client"` // empty: they are told addresses
	// Name is whole, and without the dot at its end.
	Name   string         `json:"name"`
	Server netip.AddrPort `json:"server"`
}

// NameClient is a kind of client by what it does with a name.
type NameClient string

// The clients. Each tries the addresses one after the other, in the order in
// which its resolver has put them, until one is connected.
const (
	// GoClient is Go's own resolver and net.Dialer, asked for each connection.
	GoClient NameClient = "go"
	// GlibcClient is getaddrinfo(3) of the C library, asked for each connection.
	GlibcClient NameClient = "glibc"
	// CurlClient is curl(1), started for each connection.
	CurlClient NameClient = "curl"
	// CachedClient asks once, as GoClient does, and keeps the answer for life.
	CachedClient NameClient = "cached"
)

// PlanFor is a plan as the clients of a strategy carry it out: with the name
// that they are told, if they are. The strategy may be nil: there is none.
func PlanFor(s Strategy, p Plan, front Front, v Vantage) Plan {
	if n, ok := s.(Named); ok {
		p.Lookup = n.Lookup(front, v)
	}
	return p
}
