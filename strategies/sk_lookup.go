package strategies

import "github.com/portlab/portlab/lab"

func init() { register(skLookup{}) }

// skLookup has a program answer the kernel's question which socket listens.
type skLookup struct{ settings settings }

func (skLookup) Name() string { return "sk-lookup" }

func (skLookup) Options() []lab.Option {
	return []lab.Option{{
		Name: lab.Method, Values: []string{lab.MethodRandom, lab.MethodTurn, lab.MethodHash},
		Meaning: "how a replica is picked; random: at random, rr: in turn, hash: by a hash of the client's address and port",
	}}
}

func (s skLookup) Settings() map[string]string { return s.settings.of(s.Options()) }

func (skLookup) With(changed map[string]string) lab.Strategy { return skLookup{changed} }

func (skLookup) About() lab.About {
	return lab.About{
		Summary: "a program of eBPF picks the listening socket for what comes to the front, whatever port that socket is bound to",
		Path: []string{
			"The replicas are in the host's network; each listens on a port of its own, and nobody on the front's.",
			"The packet reaches the front's address on the host and is not translated.",
			"For the first packet of a connection the kernel asks the program of the network namespace who listens (BPF_PROG_TYPE_SK_LOOKUP); it picks a replica's socket from a map.",
			"The connection waits in the accept queue of that replica alone; its own address is the front's.",
		},
		Caveats: []string{
			needsPrivilege, endsWithHolder,
			"The application need not know of it: no SO_REUSEPORT, no certain port, no inherited socket. portlab borrows its listening socket (pidfd_getfd(2)); systemd could hand it over (FDSTORE=1).",
			"The sockets must be of the network namespace in which the program is: replicas in namespaces of their own must inherit theirs.",
			"The replicas have the host's network with all of its ports, and can also be reached at their own.",
			"One program can take a whole range of addresses or of ports, for which bind(2) has no word: that is what it was made for.",
			"The share of a replica that died goes to the next one in line: the kernel takes its socket out of the map.",
			"What waits in the accept queue of a replica that ends is reset.",
			hangGoesOn,
		},
		Sources: []string{
			"https://docs.kernel.org/bpf/prog_sk_lookup.html",
			"bpf-helpers(7): bpf_sk_assign",
			"https://blog.cloudflare.com/tubular-fixing-the-socket-api-with-ebpf/",
			"pidfd_getfd(2)",
		},
	}
}

func (s skLookup) Needs() lab.Needs {
	nulls := map[string]lab.Null{lab.MethodRandom: lab.Random, lab.MethodTurn: lab.RoundRobin, lab.MethodHash: lab.Hash}
	return lab.Needs{
		Placement: lab.HostNetns, OwnPorts: true, Root: true, Null: nulls[s.Settings()[lab.Method]],
		Probes: []lab.Probe{hookProbe(lab.BPFLookup)},
		NotFor: map[lab.Protocol]string{
			lab.UDP: "a UDP socket answers from the port that it is bound to, which is not the front's: the client would not take it for the answer",
		},
	}
}

// Workers is one: the program counts for all processors together.
func (skLookup) Workers() int { return 1 }

// Weighted marks that weights count, with every method.
func (skLookup) Weighted() {}

// Steps attaches the program to the host's network namespace.
func (s skLookup) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	st, err := steered(f, lab.BPFLookup, s.Settings()[lab.Method], front, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{st}, nil
}
