package scenarios

import "github.com/portlab/portlab/lab"

// inTurn is enough for a balancer that takes turns: its shares are as even as
// can be, whatever chance does.
const inTurn = 300

// kept is what a strategy must show that loses neither connections nor the
// client's address.
var kept = []Expectation{{"no loss", lab.Held}, {"every instance answers", lab.Held}, {"client address kept", lab.Held}, {"shares", ""}}

// Kernels holds what only some kernels can: their own balancer, and replicas on
// the links of a network card.
func Kernels() []Scenario {
	turns := append([]Expectation{{"shares", lab.Held}}, kept[:3]...)
	return []Scenario{
		{
			Name:      "ipvs-in-turn",
			Statement: "IPVS gives replicas their turns, by their weights, and a replica sees the client's address, from another machine and from the host.",
			Source:    "ipvsadm(8); https://docs.kernel.org/networking/ipvs-sysctl.html",
			Kernel:    []string{"ip_vs", "ip_vs_rr", "ip_vs_wrr"},
			Trials: []Trial{
				{Strategy: "ipvs", Vantage: lab.External, Replicas: 2, Requests: inTurn, Expect: turns},
				{Strategy: "ipvs", Vantage: lab.OnHost, Replicas: 2, Requests: inTurn, Expect: turns},
				{Strategy: "ipvs", Vantage: lab.External, Family: lab.IPv6, Replicas: 2, Requests: inTurn, Expect: turns},
				{Strategy: "ipvs:method=wrr", Vantage: lab.External, Replicas: 2, Weights: []float64{3, 1}, Requests: inTurn, Expect: turns},
			},
		},
		{
			Name:      "replicas-on-ipvlan",
			Statement: "Replicas on ipvlan links, which share the hardware address of their parent, are reached by destination NAT like those on a bridge.",
			Source:    "https://docs.kernel.org/networking/ipvlan.html",
			Kernel:    []string{"ipvlan"},
			Trials:    []Trial{{Strategy: "dnat", Vantage: lab.External, Link: lab.LinkIPvlan, Replicas: 2, Requests: inTurn, Expect: kept}},
		},
		{
			Name:      "replicas-on-macvlan",
			Statement: "Replicas on macvlan links, each with a hardware address of its own, are reached by destination NAT like those on a bridge.",
			Source:    "ip-link(8), macvlan",
			Kernel:    []string{"macvlan"},
			Trials:    []Trial{{Strategy: "dnat", Vantage: lab.External, Link: lab.LinkMacvlan, Replicas: 2, Requests: inTurn, Expect: kept}},
		},
	}
}
