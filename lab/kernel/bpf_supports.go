package kernel

import (
	"context"
	"net/netip"

	"github.com/cilium/ebpf"

	"github.com/portlab/portlab/lab"
)

// Supports implements [lab.BPF]: it loads a program such as one that would be
// attached, and lets go of it again.
func (b *bpf) Supports(ctx context.Context, hook lab.BPFHook, ip lab.Family) error {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if ip == lab.IPv6 {
		loopback = netip.IPv6Loopback()
	}
	at := netip.AddrPortFrom(loopback, 1)
	p := lab.BPFProgram{
		Hook: hook, Method: lab.MethodRandom, Transport: "tcp", Front: []netip.AddrPort{at},
		Replicas: []lab.Replica{{Instance: lab.InstanceName(0), Address: at, Weight: 1}},
	}
	switch hook {
	case lab.BPFReuseportClassic:
		return b.tryClassic(ctx, loopback)
	case lab.BPFReuseport:
		return tryProgram(p, ebpf.ReusePortSockArray, reuseportProgram)
	case lab.BPFLookup:
		return tryProgram(p, ebpf.SockMap, func(k *picker, m *ebpf.Map) *ebpf.ProgramSpec { return lookupProgram(k, m, p) })
	case lab.BPFConnect:
		return tryConnect(p)
	}
	return lab.Usagef("%q is no hook of BPF", hook)
}

// tryClassic sets a program on a socket that nobody knows of.
func (b *bpf) tryClassic(ctx context.Context, loopback netip.Addr) error {
	s, err := Listen(ctx, b.ns, lab.Socket{Address: netip.AddrPortFrom(loopback, 0), ReusePort: true})
	if err != nil {
		return err
	}
	defer s.Close()
	return attachClassic(int(s.Fd()), 1)
}

// tryProgram loads a program that chooses among the sockets of a map.
func tryProgram(p lab.BPFProgram, of ebpf.MapType, spec func(*picker, *ebpf.Map) *ebpf.ProgramSpec) error {
	sockets, err := newMap(ebpf.MapSpec{Type: of, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return err
	}
	defer sockets.Close()
	k, err := newPicker(p.Method, p.Replicas)
	if err != nil {
		return err
	}
	defer k.Close()
	program, err := load(spec(k, sockets))
	if err != nil {
		return err
	}
	return program.Close()
}

// tryConnect also looks for the control group that a program would belong to.
func tryConnect(p lab.BPFProgram) error {
	group, err := openGroup()
	if err != nil {
		return err
	}
	defer group.Close()
	namespaces, err := newMap(ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 1, MaxEntries: 1})
	if err != nil {
		return err
	}
	r, err := newRewriter(p, namespaces)
	if err != nil {
		return err
	}
	defer r.Close()
	program, err := load(r.connect())
	if err != nil {
		return err
	}
	return program.Close()
}
