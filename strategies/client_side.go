package strategies

import (
	"net/netip"

	"github.com/portlab/portlab/lab"
)

func init() { register(clientSide{}) }

// clientSide has the client pick a replica for each connection. Nothing stands
// in between, so it is the floor for any number of replicas.
type clientSide struct{}

func (clientSide) Name() string { return "client-side" }

func (clientSide) About() lab.About {
	return lab.About{
		Summary: "the client knows all replicas and picks one at random for each connection: the floor",
		Path: []string{
			"The client draws one of the replicas' addresses, each with the same chance, and connects to it.",
			"The host routes the packets to the replicas' bridge and back; nothing rewrites them.",
		},
		Caveats: append(directCaveats(), "It is no single port: every client must be told of every change of the set of replicas."),
		Sources: append(directSources(), "https://grpc.io/blog/grpc-load-balancing/ (client-side load balancing)"),
	}
}

func (clientSide) Needs() lab.Needs {
	return lab.Needs{Placement: lab.OwnNetns, Root: true, Null: lab.Random, NotFrom: notFromLocalhost()}
}

// Targets gives all replicas.
func (clientSide) Targets(_ lab.Front, _ lab.Vantage, to []lab.Replica) []netip.AddrPort {
	return addresses(to)
}

func (clientSide) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	return admitClient(f, to), nil
}
