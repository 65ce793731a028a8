package strategies

import (
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(ecmp{hash: hashFields}) }

// ecmp has all replicas hold one address, to which the host routes over as many
// next hops: equal-cost multipath, what anycast behind a router is.
type ecmp struct{ hash string }

// optionHash says by what a next hop is chosen; these are its values.
const (
	optionHash = "hash"
	hashFields = "fields"
	hashLayer4 = "layer4"
)

func (ecmp) Name() string { return "ecmp" }

// Options implements [lab.Configurable].
func (ecmp) Options() []lab.Option {
	return []lab.Option{{
		Name: optionHash, Values: []string{hashFields, hashLayer4},
		Meaning: "fields: fib_multipath_hash_policy 3 over addresses, protocol and ports; layer4: policy 1, a trap",
	}}
}

// Settings implements [lab.Configurable].
func (s ecmp) Settings() map[string]string { return map[string]string{optionHash: s.hash} }

// With implements [lab.Configurable].
func (ecmp) With(settings map[string]string) lab.Strategy {
	if s := (ecmp{settings[optionHash]}); s.hash != hashLayer4 {
		return s
	}
	return ecmpTrap{ecmp{hashLayer4}}
}

// ecmpTrap is ecmp with policy 1, which works until a packet is lost.
type ecmpTrap struct{ ecmp }

// Warning says what is wrong with it.
func (ecmpTrap) Warning() string {
	return "ecmp with hash=layer4 is a trap: when a packet must be sent again, its hash may change, and an established connection then moves to a replica that does not know it and resets it; use hash=fields"
}

func (ecmp) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, OwnHost: true, SharedAddress: true, Root: true, Null: lab.Hash,
		Application: "listen on every address, or on the shared one, at the front's port: nothing translates",
		NotFrom: map[lab.Vantage]string{
			lab.Localhost: "a loopback address is never routed to a next hop",
			lab.Peer:      "the shared address is a replica's own: it reaches itself, and no other",
		},
	}
}

// Weighted marks that the shares follow the weights.
func (ecmp) Weighted() {}

// maxHopWeight is the largest weight of a next hop (rtnetlink(7), rtnh_hops).
const maxHopWeight = 256

func (s ecmp) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	weights, ok := wholeWeights(to)
	hops := make([]lab.Hop, len(to))
	for i, r := range to {
		if !ok || weights[i] > maxHopWeight {
			return nil, lab.Usagef("a next hop has a weight of at most %d: use ratios of smaller numbers, such as 3,1", maxHopWeight)
		}
		hops[i] = lab.Hop{Via: r.Address.Addr(), Link: f.Bridge, Weight: weights[i]}
	}
	return append(s.policy(f.Family), step.Route{To: alone(front.Address), Hops: hops}), nil
}

// policy says by what the kernel chooses a next hop (ip-sysctl.rst). What a
// fresh namespace has is policy 0 over the addresses and the protocol.
func (s ecmp) policy(ip lab.Family) []lab.Step {
	prefix := fmt.Sprintf("net.ipv%d.fib_multipath_hash_", ip)
	if s.hash == hashLayer4 {
		return []lab.Step{step.Sysctl{Name: prefix + "policy", Before: "0", Value: "1"}}
	}
	// 0x1 source, 0x2 destination, 0x4 protocol, 0x10 source port, 0x20 destination port.
	return []lab.Step{
		step.Sysctl{Name: prefix + "fields", Before: "7", Value: "55"},
		step.Sysctl{Name: prefix + "policy", Before: "0", Value: "3"},
	}
}

func (ecmp) About() lab.About {
	return lab.About{
		Summary: "the replicas share one address, and the host routes each connection to one of them by a hash",
		Path: []string{
			"The client sends to the shared address, which its router, the host, leads on.",
			"The host has one route to it with a next hop for each replica; a hash of the packet's addresses, protocol and ports picks one.",
			"The replica takes the packet, since the address is its own, and answers from it by way of the host.",
		},
		Caveats: []string{
			"Every replica has the shared address on a link of its own, such as the loopback link, and listens on the front's port.",
			"The choice is made for each packet by a hash: it is the same for all packets of a connection only as long as the next hops are.",
			"When a replica comes or goes, the hash of some connections leads elsewhere, and those are reset; a next-hop group of type resilient (ip-nexthop(8)) moves fewer.",
			"The route knows nothing of a replica's health: until it is changed, the share of a dead replica is lost.",
			"Nothing is translated or tracked: a replica sees the client's address, and there is no table to overflow.",
		},
		OverUDP: []string{"Datagrams of one client's address and port go to one replica, as long as the next hops stay the same; nothing is remembered between them."},
		Sources: []string{
			"https://docs.kernel.org/networking/ip-sysctl.html (fib_multipath_hash_policy, fib_multipath_hash_fields)",
			"ip-route(8): nexthop",
			"RFC 2992 (analysis of an equal-cost multi-path algorithm)",
		},
	}
}
