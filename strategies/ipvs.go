package strategies

import (
	"context"
	"net/netip"
	"slices"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(ipvs{lab.MethodTurn}) }

// ipvs lets the kernel's own balancer, IPVS, choose a replica and rewrite the
// destination: the mechanism of kube-proxy's IPVS mode and of Swarm's mesh.
type ipvs struct{ scheduler string }

// The schedulers are IPVS's own words (ipvsadm(8)); rr is lab.MethodTurn.
const (
	schedWRR = "wrr"
	schedLC  = "lc"
	schedSH  = "sh"
	schedMH  = "mh"
)

func (ipvs) Name() string { return "ipvs" }

// Options implements [lab.Configurable].
func (ipvs) Options() []lab.Option {
	return []lab.Option{{
		Name: lab.Method, Values: []string{lab.MethodTurn, schedWRR, schedLC, schedSH, schedMH},
		Meaning: "the scheduler: in turn, in turn by weight, fewest connections, hash of the client's address, Maglev's hash of it",
	}}
}

// Settings implements [lab.Configurable].
func (s ipvs) Settings() map[string]string { return map[string]string{lab.Method: s.scheduler} }

// With implements [lab.Configurable].
func (ipvs) With(settings map[string]string) lab.Strategy { return ipvs{settings[lab.Method]} }

// schedulerNulls say how each scheduler spreads.
var schedulerNulls = map[string]lab.Null{
	lab.MethodTurn: lab.RoundRobin, schedWRR: lab.RoundRobin, schedLC: lab.LeastConnections,
	schedSH: lab.HashAddress, schedMH: lab.HashAddress,
}

func (s ipvs) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, OwnHost: true, Root: true, Null: schedulerNulls[s.scheduler],
		Probes: []lab.Probe{virtualServers()},
		NotFrom: map[lab.Vantage]string{
			lab.Localhost: "IPVS does not take what is sent to a loopback address",
			lab.Peer:      "the replica that is chosen answers its neighbour directly and not by the host, so nothing translates the answer back",
		},
	}
}

// virtualServers asks whether IPVS is there and may be used.
func virtualServers() lab.Probe {
	return lab.Probe{Name: "IPVS", Check: func(_ context.Context, h lab.Host, _ lab.Family) error {
		_, err := h.VirtualServers()
		return err
	}}
}

// Weighted marks that the shares follow the weights.
func (ipvs) Weighted() {}

func (s ipvs) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	if !front.Address.IsValid() {
		return nil, errNoAddress
	}
	weights, ok := wholeWeights(to)
	switch {
	case !ok:
		return nil, lab.Usagef("the weights come to more than %d parts: use ratios of smaller numbers, such as 3,1", maxSlots)
	case slices.Max(weights) > 1 && slices.Contains([]string{lab.MethodTurn, schedLC}, s.scheduler):
		return nil, lab.Usagef("the scheduler %s pays no regard to weights: use ipvs:method=wrr", s.scheduler)
	}
	v := step.VirtualServer{At: netip.AddrPortFrom(front.Address, front.Port), Transport: f.Transport, Scheduler: s.scheduler}
	for i, r := range to {
		v.Servers = append(v.Servers, lab.RealServer{At: r.Address, Weight: weights[i]})
	}
	return []lab.Step{v}, nil
}

func (s ipvs) About() lab.About {
	about := lab.About{
		Summary: "the kernel's own balancer, IPVS, picks a replica for each connection and rewrites the destination",
		Path: []string{
			"The first packet of a connection reaches the front's address and port on the host.",
			"IPVS takes it on its way to the host's own sockets (at the hook INPUT), or on its way out of the host (at OUTPUT), and its scheduler picks a replica.",
			"It rewrites the destination, remembers the connection in a table of its own, and sends the packet to the replica by the bridge.",
			"The replica answers by the host, its router, where IPVS rewrites the source back (at FORWARD).",
		},
		Caveats: []string{
			"The choice is made once for each connection: requests on a connection that is kept alive all go to one replica, and so do the streams of one of HTTP/2.",
			"IPVS knows nothing of a replica's health: until the servers are changed, the share of a dead replica is refused; keepalived is the usual watcher.",
			"A replica that leaves gets no new connection, and its old ones go on until they end.",
			"A replica sees the client's address.",
			"What has been sent to IPVS is filtered at INPUT, as if it were for the host itself.",
		},
		OverUDP: []string{"Datagrams of one client's address and port go to one replica until none comes for 300 seconds (ipvsadm --set)."},
		Sources: []string{
			"ipvsadm(8): schedulers, masquerading",
			"https://docs.kernel.org/networking/ipvs-sysctl.html",
			"http://www.linuxvirtualserver.org/VS-NAT.html",
			"https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-ipvs",
		},
	}
	if schedulerNulls[s.scheduler] == lab.HashAddress {
		about.Caveats = append(about.Caveats, "All connections from one address go to one replica: with few clients the shares are as uneven as they come.")
	}
	return about
}
