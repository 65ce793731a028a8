package strategies

import (
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(socat{}) }

// socat runs one socat for each replica, all listening on the front.
type socat struct{}

func (socat) Name() string { return "socat" }

func (socat) About() lab.About {
	return lab.About{
		Summary: "one socat for each replica, all listening on the front with SO_REUSEPORT",
		Path: []string{
			"The packet reaches the front's address on the host, where one socat for each replica listens.",
			"The kernel picks one of their sockets by a hash of the packet's addresses and ports.",
			"That socat accepts and starts a copy of itself (fork), which dials the replica and copies bytes both ways.",
		},
		Caveats: []string{
			"The replica sees the host's address: the client's is lost.",
			"Each connection costs a process.",
			forOneReplicaEach,
			"It accepts before it has reached the replica: a client of a dead one sees a connection that is closed, not one refused.",
		},
		Sources: []string{
			"http://www.dest-unreach.org/socat/doc/socat.html (TCP-LISTEN, fork, reuseport, backlog)",
			"socket(7): SO_REUSEPORT",
		},
	}
}

func (socat) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Null: lab.Hash,
		Probes: []lab.Probe{program(socatTo("", ""), "make tools installs it")},
		NotFor: map[lab.Protocol]string{
			lab.UDP: "its UDP-LISTEN gives a socket to the first client and then opens another for the next: what comes in between goes to the wrong one",
		},
	}
}

func (socat) Steps(_ lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	var steps []lab.Step
	for _, r := range to {
		for i, at := range front.Endpoints() {
			version := 4
			if at.Addr().Is6() {
				version = 6
			}
			s := socatTo(
				fmt.Sprintf("TCP%d-LISTEN:%d,bind=%s,reuseaddr,reuseport,fork,backlog=4096", version, at.Port(), bindHost(at)),
				fmt.Sprintf("TCP%d:%s", version, r.Address),
			)
			s.Name = fmt.Sprintf("socat-%s-%d", r.Instance, i+1)
			steps = append(steps, step.Sidecar{Sidecar: s})
		}
	}
	return steps, nil
}

// bindHost is an address as socat's option bind wants it.
func bindHost(at netip.AddrPort) string {
	if at.Addr().Is6() {
		return "[" + at.Addr().String() + "]"
	}
	return at.Addr().String()
}

func socatTo(from, to string) lab.Sidecar {
	return lab.Sidecar{Program: "socat", Args: []string{from, to}, OnHost: true, VersionFlag: "-V"}
}

// forOneReplicaEach is what strategies have in common that run a process for
// each replica.
const forOneReplicaEach = "There is one process for each replica and each address of the front; when one is ended, what waits for it and what it carries is lost."
