package lab

import (
	"context"
	"net/netip"
)

// BPF attaches programs that run in the kernel (bpf(2)) and choose a replica for
// what comes to a front.
type BPF interface {
	// Supports returns an [UnsupportedError] where a hook cannot be used here.
	Supports(ctx context.Context, hook BPFHook, ip Family) error
	// Attach loads a program and attaches it to its hook. The replicas must
	// listen by then. It is an error if one of its name is attached already.
	Attach(ctx context.Context, p BPFProgram) error
	// Replace puts a program in the place of the attached one of its name. Each
	// packet meets the one or the other.
	Replace(ctx context.Context, p BPFProgram) error
	// Detach takes the program of that name away; no error if there is none.
	Detach(ctx context.Context, name string) error
}

// BPFHook is where in the kernel a program runs.
type BPFHook string

// The hooks.
const (
	// BPFReuseportClassic picks one of the sockets that share a port with
	// SO_REUSEPORT, by a program of classic BPF: SO_ATTACH_REUSEPORT_CBPF,
	// socket(7). It gives a number, by the order in which the sockets came.
	BPFReuseportClassic BPFHook = "reuseport-cbpf"
	// BPFReuseport is the same by a program of eBPF, which knows the sockets by
	// a map: SO_ATTACH_REUSEPORT_EBPF, BPF_PROG_TYPE_SK_REUSEPORT.
	BPFReuseport BPFHook = "reuseport-ebpf"
	// BPFLookup picks any listening socket of a network namespace for what comes
	// to any of its addresses: BPF_PROG_TYPE_SK_LOOKUP
	// (https://docs.kernel.org/bpf/prog_sk_lookup.html).
	BPFLookup BPFHook = "sk-lookup"
	// BPFConnect rewrites the address that a client passes to connect(2):
	// BPF_CGROUP_INET4_CONNECT and BPF_CGROUP_INET6_CONNECT.
	BPFConnect BPFHook = "connect"
)

// BPFProgram describes a program that is attached to a hook.
type BPFProgram struct {
	Name      string // unique on the host, such as what [RunID.Object] gives
	Run       RunID
	Hook      BPFHook
	Method    string           // how it chooses: [MethodRandom], [MethodTurn] or [MethodHash], where the hook has it
	Transport string           // "tcp" or "udp"
	Front     []netip.AddrPort // whose connections it leads
	Replicas  []Replica        // among which it chooses, by their weights
}
