package lab

import (
	"crypto/rand"
	"fmt"
	"math"
	"net/netip"
	"regexp"
)

// RunID names one run. Everything that a run makes outside its own memory
// carries it, so that it can be found again with no state file.
type RunID string

var runIDForm = regexp.MustCompile(`^[a-z2-7]{6}$`)

// NewRunID returns a random id of six letters and digits: short enough for the
// 15 characters of a link's name (IFNAMSIZ, netdevice(7)).
func NewRunID() RunID {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	b := make([]byte, 6)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand.Read does not fail on Linux
	}
	for i, c := range b {
		b[i] = alphabet[int(c)%len(alphabet)]
	}
	return RunID(b)
}

// ParseRunID accepts what [NewRunID] makes and nothing else.
func ParseRunID(s string) (RunID, error) {
	if !runIDForm.MatchString(s) {
		return "", Usagef("a run's id is six of a-z and 2-7, such as k3f9a2, not %q", s)
	}
	return RunID(s), nil
}

// Comment is the text that marks the run's firewall rules.
func (id RunID) Comment() string { return "portlab:" + string(id) }

// Chain is the name of one of the run's chains. A chain's name has at most 28
// characters (XT_EXTENSION_MAXNAMELEN in linux/netfilter/x_tables.h).
func (id RunID) Chain(part string) string { return "PORTLAB-" + string(id) + "-" + part }

// Table is the name of the run's table of nftables; such names have no hyphen.
func (id RunID) Table() string { return "portlab_" + string(id) }

// Link is the name of one of the run's network links.
func (id RunID) Link(part string) string { return "pl" + string(id) + part }

// Object is the name of one of the run's containers, networks or namespaces.
func (id RunID) Object(part string) string { return "portlab-" + string(id) + "-" + part }

// Vantage is where a client stands.
type Vantage string

// The vantages.
const (
	External  Vantage = "external"  // another machine on the host's LAN
	OnHost    Vantage = "host"      // the host, calling its own LAN address
	Localhost Vantage = "localhost" // the host, calling 127.0.0.1 or ::1
	Peer      Vantage = "peer"      // a replica, calling the front
)

// Vantages lists them all, in the order in which they are shown.
func Vantages() []Vantage { return []Vantage{External, OnHost, Localhost, Peer} }

// ParseVantage turns a word of the command line into a vantage. What is no
// vantage is a usage error that names them all.
func ParseVantage(s string) (Vantage, error) {
	for _, v := range Vantages() {
		if string(v) == s {
			return v, nil
		}
	}
	return "", Usagef("unknown vantage %q: use external, host, localhost or peer", s)
}

// Placement is where a strategy wants its replicas.
type Placement string

// The placements.
const (
	OwnNetns    Placement = "own-netns"    // each replica has a network namespace and an address of its own
	SharedNetns Placement = "shared-netns" // all replicas share one namespace, which a sandbox owns, and bind one port
	HostNetns   Placement = "host-netns"   // all replicas are in the host's network and bind the front's port, or each its own
)

// Family is the IP version of the front and the replicas.
type Family int

// The families.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// Front is what clients use: one port on the host's address, and on its
// loopback address for clients on the host itself.
type Front struct {
	Address  netip.Addr `json:"address"`  // the host's address on the LAN; invalid where the host has none to give
	Loopback netip.Addr `json:"loopback"` // 127.0.0.1 or ::1
	Port     uint16     `json:"port"`
}

// At is the address and port that a client at v dials.
func (f Front) At(v Vantage) netip.AddrPort {
	if v == Localhost {
		return netip.AddrPortFrom(f.Loopback, f.Port)
	}
	return netip.AddrPortFrom(f.Address, f.Port)
}

// Beside is the front's address with the port of the i-th replica, counted from
// 0, where each has its own there: the ports above the front's and, beyond the
// last one, those from 1024 on.
func (f Front) Beside(i int) netip.AddrPort {
	const first, ports = 1024, 1<<16 - 1024
	return netip.AddrPortFrom(f.Address, uint16(first+(int(f.Port)-first+1+i+ports)%ports))
}

// Endpoints are all addresses of the front, the LAN's first.
func (f Front) Endpoints() []netip.AddrPort {
	var all []netip.AddrPort
	for _, a := range []netip.Addr{f.Address, f.Loopback} {
		if a.IsValid() {
			all = append(all, netip.AddrPortFrom(a, f.Port))
		}
	}
	return all
}

// Replica is one running copy of a server.
type Replica struct {
	Instance string         `json:"instance"` // its name, unique in the fleet
	Address  netip.AddrPort `json:"address"`  // where it listens, as the host sees it
	Weight   float64        `json:"weight"`   // its share of the traffic relative to the others' weights; 1 unless asked for
}

// instanceNames are the metasyntactic variables of RFC 3092.
var instanceNames = []string{
	"foo", "bar", "baz", "qux", "quux", "corge", "grault", "garply", "waldo",
	"fred", "plugh", "xyzzy", "thud",
}

// InstanceName names the i-th replica, counted from 0: foo, bar, baz, ...
// (RFC 3092), then r14, r15, ...
func InstanceName(i int) string {
	if i < len(instanceNames) {
		return instanceNames[i]
	}
	return fmt.Sprintf("r%d", i+1)
}

// Shares are the replicas' weights as fractions of one.
func Shares(replicas []Replica) []float64 {
	var sum float64
	for _, r := range replicas {
		sum += r.Weight
	}
	shares := make([]float64, len(replicas))
	for i, r := range replicas {
		shares[i] = r.Weight / sum
	}
	return shares
}

// ValidWeight says whether w can be a replica's weight: positive and finite.
func ValidWeight(w float64) bool { return w > 0 && !math.IsInf(w, 1) }
