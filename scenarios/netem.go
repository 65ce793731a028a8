package scenarios

import "github.com/portlab/portlab/lab"

// worse is a path of 40 ms there and back, on which 4% of the round trips need
// a packet that is sent again: a continent away, over a bad link.
const worse = "delay=20ms,loss=2%"

// enoughOnIt is fewer than [enough], since such a load takes long: a fair balancer
// between two replicas fails by chance once in 10^5 runs.
const enoughOnIt = 1000

// Netem holds what a worse path between client and host changes, and what it
// does not.
func Netem() []Scenario {
	return []Scenario{
		{
			Name: "worse-path",
			Statement: "Delay and loss between client and host change when a connection stands, and neither how connections are spread, nor whether they are answered, " +
				"nor what address a replica sees.",
			Source: "tc-netem(8); RFC 6298",
			Kernel: []string{"sch_netem"},
			Trials: []Trial{
				{
					Strategy: "dnat", Vantage: lab.External, Replicas: 2, Requests: enoughOnIt, Concurrency: 50, Impair: worse,
					Expect: []Expectation{{"shares", lab.Held}, {"no loss", lab.Held}, {"client address kept", lab.Held}},
				},
				// The proxy ends each connection: packets are sent again between it and
				// the client, and the replicas see none of that.
				{
					Strategy: "proxy", Vantage: lab.External, Replicas: 2, Requests: enoughOnIt, Concurrency: 50, Impair: worse,
					Expect: []Expectation{{"shares", lab.Held}, {"no loss", lab.Held}, {"client address kept", lab.Refuted}},
				},
			},
		},
	}
}
