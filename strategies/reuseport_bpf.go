package strategies

import (
	"slices"

	"github.com/portlab/portlab/lab"
)

func init() { register(reuseportBPF{}) }

// reuseportBPF has a program pick the socket where replicas share a port with
// SO_REUSEPORT, in place of the kernel's hash.
type reuseportBPF struct{ settings settings }

func (reuseportBPF) Name() string { return "reuseport-bpf" }

// The options of reuseport-bpf, and their values.
const (
	programOption  = "program"
	classicRandom  = "cbpf-random"
	extendedTurn   = "ebpf-rr"
	socketsOption  = "sockets"
	boundSockets   = "bound"
	inheritSockets = "inherited"
)

func (reuseportBPF) Options() []lab.Option {
	return []lab.Option{
		{Name: programOption, Values: []string{classicRandom, extendedTurn},
			Meaning: "what picks a socket; cbpf-random: classic BPF, at random, as any user; ebpf-rr: eBPF, in turn by weight, as root"},
		{Name: socketsOption, Values: []string{boundSockets, inheritSockets},
			Meaning: "bound: replicas in the host's network bind the port; inherited: isolated ones inherit their sockets, as with reuseport-fd"},
	}
}

func (s reuseportBPF) Settings() map[string]string { return s.settings.of(s.Options()) }

func (reuseportBPF) With(changed map[string]string) lab.Strategy { return reuseportBPF{changed} }

func (s reuseportBPF) extended() bool { return s.Settings()[programOption] == extendedTurn }

func (s reuseportBPF) inherits() bool { return s.Settings()[socketsOption] == inheritSockets }

func (s reuseportBPF) About() lab.About {
	a := lab.About{
		Summary: "as reuseport-host, and a program of BPF picks the socket: at random, or in turn",
		Path: []string{
			"The packet reaches the front's address on the host and is not translated.",
			"As many sockets listen there as there are replicas, in one group (SO_REUSEPORT).",
			"For the first packet of a connection the kernel runs the program of the group, which names the socket.",
			"The connection waits in the accept queue of that replica alone.",
		},
		Caveats: []string{
			"The application must set SO_REUSEPORT, or inherit its socket, and all sockets must belong to one effective user.",
			"Any one socket of the group can set the program for all: portlab borrows one from a replica (pidfd_getfd(2)); an application can set it itself.",
			"The front's two addresses are two groups, each with a program of its own.",
			hangGoesOn,
		},
		OverUDP: []string{
			"The program runs for each datagram, so those of one client do not keep to a replica; a protocol with sessions, such as QUIC, wants a program that goes by its connection id.",
			"Datagrams that wait at a replica that ends are lost.",
		},
		Sources: []string{
			"socket(7): SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF",
			"bpf-helpers(7): bpf_sk_select_reuseport",
			"https://lwn.net/Articles/762101/ (BPF_PROG_TYPE_SK_REUSEPORT)",
			"https://docs.kernel.org/networking/ip-sysctl.html (tcp_migrate_req)",
			"pidfd_getfd(2)",
		},
	}
	if s.extended() {
		a.Caveats = append(a.Caveats, needsPrivilege,
			"It knows the sockets by a map, so one can be taken out of turn while it still listens: out of the program, drain, stop loses nothing.",
			"It also names who takes over what waits in the queue of a replica that ends, whatever net.ipv4.tcp_migrate_req is (Linux 5.14).",
			"The share of a replica that died goes to the others at once: the kernel takes its socket out of the map.")
		return a
	}
	a.Caveats = append(a.Caveats,
		"It gives a number below N, by the order in which the sockets came. When one goes, the last takes its number; until the program follows, what it still gives to that number is picked by the kernel's hash.",
		"A replica that was added gets nothing until the program is replaced, which is one call and atomic.",
		"It cannot tell replicas apart, so it knows no weights, and none can be drained by it.",
		queueIsReset)
	return a
}

func (s reuseportBPF) Needs() lab.Needs {
	n := lab.Needs{
		Placement: lab.HostNetns, ReusePort: true, Application: mustReusePort,
		Null: lab.Random, Probes: []lab.Probe{hookProbe(s.hook())},
	}
	if s.extended() {
		n.Root, n.Null = true, lab.RoundRobin
	}
	if s.inherits() {
		n.Placement, n.ReusePort, n.Inherit, n.Application = lab.OwnNetns, false, lab.InheritOwn, mustInherit
	}
	return n
}

func (s reuseportBPF) hook() lab.BPFHook {
	if s.extended() {
		return lab.BPFReuseport
	}
	return lab.BPFReuseportClassic
}

// Workers is one: the program counts for all processors together.
func (reuseportBPF) Workers() int { return 1 }

// Weighted holds for ebpf-rr; the other program refuses them.
func (reuseportBPF) Weighted() {}

// Steps attaches the program to the sockets that are there.
func (s reuseportBPF) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	method := lab.MethodTurn
	if !s.extended() {
		method = lab.MethodRandom
		if i := slices.IndexFunc(to, func(r lab.Replica) bool { return r.Weight != to[0].Weight }); i >= 0 {
			return nil, lab.Usagef("%s of reuseport-bpf cannot tell replicas apart, so it takes no weights: use reuseport-bpf:program=%s", classicRandom, extendedTurn)
		}
	}
	st, err := steered(f, s.hook(), method, front, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{st}, nil
}
