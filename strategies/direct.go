package strategies

import (
	"net/netip"
	"slices"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(direct{}) }

// direct exposes nothing: clients dial one replica's own address. It is the
// baseline for everything else.
type direct struct{}

func (direct) Name() string { return "direct" }

func (direct) About() lab.About {
	return lab.About{
		Summary: "one replica, called at its own address: the baseline",
		Path: []string{
			"The client connects to the address of the first replica.",
			"The host routes the packets to the replicas' bridge and back; nothing rewrites them.",
		},
		Caveats: append(directCaveats(), "The other replicas, if any, get nothing."),
		Sources: directSources(),
	}
}

func (direct) Needs() lab.Needs {
	return lab.Needs{Placement: lab.OwnNetns, Root: true, Null: lab.Single, NotFrom: notFromLocalhost()}
}

// Targets gives the first replica.
func (direct) Targets(_ lab.Front, _ lab.Vantage, to []lab.Replica) []netip.AddrPort {
	if len(to) == 0 {
		return nil
	}
	return []netip.AddrPort{to[0].Address}
}

func (direct) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	return admitClient(f, to[:min(1, len(to))]), nil
}

// admitClient has forwarded packets from the external client to the replicas
// accepted, where the host would drop them. One rule a network and port, so
// that the packet's way is the same at any number of replicas.
func admitClient(f lab.Facts, to []lab.Replica) []lab.Step {
	if f.ForwardChain == "" || !f.Clients.IsValid() {
		return nil
	}
	var ports []string
	for _, r := range to {
		if p := port(r.Address); !slices.Contains(ports, p) {
			ports = append(ports, p)
		}
	}
	slices.Sort(ports)
	where := f.Subnet.String()
	if len(to) == 1 {
		where = to[0].Address.Addr().String()
	}
	var steps []lab.Step
	accept := func(words ...string) {
		steps = append(steps, step.Rule{
			Run: f.Run, Family: f.Family, Table: "filter", Chain: f.ForwardChain, Spec: append(words, "-j", "ACCEPT"),
		})
	}
	for _, p := range ports {
		accept("-s", network(f.Clients), "-d", where, "-p", f.Transport, "--dport", p)
		if f.Link.OnParent() {
			// An engine accepts answers from its bridge networks by itself, and only those.
			accept("-s", where, "-d", network(f.Clients), "-p", f.Transport, "--sport", p)
		}
	}
	return steps
}

// network is a network in the words of iptables(8), which calls one of a single
// address by that.
func network(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func notFromLocalhost() map[lab.Vantage]string {
	return map[lab.Vantage]string{
		lab.Localhost: "nothing listens on the loopback address: the client calls a replica's own address",
	}
}

func directCaveats() []string {
	return []string{
		"Clients must know a way to the replicas' network; on a LAN that takes a route, which the lab's external client has.",
		"From another machine, a host with Docker drops such packets unless a rule accepts them, which is added.",
		"Docker 28 and newer also drop them before routing (table raw) unless the network has gateway mode nat-unprotected.",
	}
}

func directSources() []string {
	return []string{
		"https://docs.docker.com/engine/network/packet-filtering-firewalls/",
		"https://docs.docker.com/engine/network/drivers/bridge/ (gateway modes)",
	}
}
