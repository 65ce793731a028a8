package strategies

import "github.com/portlab/portlab/lab"

func init() { register(connect4{}) }

// connect4 has the kernel rewrite the address that a client on the host connects
// to, before there is a packet.
type connect4 struct{}

func (connect4) Name() string { return "connect4" }

func (connect4) About() lab.About {
	return lab.About{
		Summary: "a program of eBPF rewrites the address that local clients connect to: what Cilium does for clients on a node",
		Path: []string{
			"A client calls connect(2) with the front's address.",
			"The kernel runs the program of the client's control group, which writes a replica's address in its place (BPF_CGROUP_INET4_CONNECT, for IPv6 BPF_CGROUP_INET6_CONNECT).",
			"The connection is made to the replica itself: no packet is translated, and nothing is tracked.",
		},
		Caveats: []string{
			needsPrivilege, endsWithHolder,
			"It is for clients in the control group of the program alone, and for nobody on another machine: whoever wants those too adds dnat, nft or IPVS, as Cilium and kube-proxy do.",
			"portlab attaches it to its own control group and acts only in the run's network namespaces; Cilium attaches it to the root of all groups.",
			"A replica that runs in a container is in a control group of its own: beside an engine, what the lab measures as a peer is a client of portlab's in the replica's network.",
			"getpeername(2) gives the replica's address and not the front's, unless a program at BPF_CGROUP_INET4_GETPEERNAME hides that.",
			"A client of IPv6 that writes an IPv4 address as ::ffff:a.b.c.d is not led.",
			"The choice is made once for each connection: requests on a connection that is kept alive all go to one replica.",
			"It knows nothing of a replica's health: until it is replaced, the share of a dead replica is refused.",
		},
		OverUDP: []string{
			"A client that calls connect(2) is led once for its socket and keeps to its replica, even to one that has gone.",
			"For one that sends with sendto(2) alone there are programs at sendmsg(2) and recvmsg(2) as well, as Cilium has: each datagram is led anew, and its answer comes from the front.",
		},
		Sources: []string{
			"https://docs.kernel.org/bpf/libbpf/program_types.html (cgroup/connect4, cgroup/sendmsg4, cgroup/recvmsg4, and 6)",
			"https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/#socket-loadbalancer-bypass-in-pod-namespace",
			"cgroups(7)", "bpf-helpers(7): bpf_get_netns_cookie",
		},
	}
}

func (connect4) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Root: true, Null: lab.Random, Probes: []lab.Probe{hookProbe(lab.BPFConnect)},
		NotFrom: map[lab.Vantage]string{
			lab.External: "the program sees calls of connect(2) on this machine only, and nobody listens on the front",
		},
		OneClient: map[lab.Vantage]string{
			lab.Localhost: "a socket that is bound to an address of 127.0.0.0/8 cannot connect to a replica's (EINVAL, connect(2)), which the program puts in place of the front's",
		},
	}
}

// Weighted marks that weights count.
func (connect4) Weighted() {}

// Steps attaches the program to the control group of the lab's clients. Those
// on the host reach replicas by the bridge, where no rule is in the way.
func (connect4) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	st, err := steered(f, lab.BPFConnect, lab.MethodRandom, front, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{st}, nil
}
