package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/portlab/portlab/lab"
)

// lookup is a program that a network namespace asks which socket listens. It is
// attached by a link (bpf(2), BPF_LINK_CREATE) that lives as long as this
// process holds it.
type lookup struct {
	ns   *Namespace
	link *link.RawLink
}

// become swaps programs on the link in one step. Each has a map of its own of
// the sockets to choose from, so an old one never meets new sockets.
func (l *lookup) become(ctx context.Context, p lab.BPFProgram) error {
	sockets, err := l.sockets(ctx, p)
	if err != nil {
		return err
	}
	defer sockets.Close() // the program keeps what it uses
	k, err := newPicker(p.Method, p.Replicas)
	if err != nil {
		return err
	}
	defer k.Close() // as above
	program, err := load(lookupProgram(k, sockets, p))
	if err != nil {
		return err
	}
	defer program.Close() // the link keeps it
	return attachLink(&l.link, int(l.ns.file.Fd()), program, ebpf.AttachSkLookup)
}

// attachLink makes a link, or has the one that is there lead to a program.
func attachLink(l **link.RawLink, target int, program *ebpf.Program, to ebpf.AttachType) error {
	if *l != nil {
		if err := (*l).Update(program); err != nil {
			return bpfError("swap a program", err)
		}
		return nil
	}
	made, err := link.AttachRawLink(link.RawLinkOptions{Target: target, Program: program, Attach: to})
	if err != nil {
		return bpfError("attach a program", err)
	}
	*l = made
	return nil
}

// sockets makes a map of the replicas' sockets, each wherever it listens.
func (l *lookup) sockets(ctx context.Context, p lab.BPFProgram) (*ebpf.Map, error) {
	at := make([]netip.AddrPort, len(p.Replicas))
	for i, r := range p.Replicas {
		at[i] = r.Address
	}
	held, err := borrow(ctx, l.ns, p.Transport, at...)
	if err != nil {
		return nil, err
	}
	defer giveBack(held)
	by := map[netip.AddrPort]heldSocket{}
	for _, s := range held {
		by[s.address] = s
	}
	m, err := newMap(ebpf.MapSpec{Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: uint32(len(p.Replicas))})
	if err != nil {
		return nil, err
	}
	for i, r := range p.Replicas {
		s, there := by[r.Address]
		if !there {
			return nil, errors.Join(fmt.Errorf("%s at %s %s: %w", r.Instance, p.Transport, r.Address, ErrNobodyListens), m.Close())
		}
		if err := m.Put(uint32(i), uint64(s.Fd())); err != nil {
			return nil, errors.Join(bpfError("put a socket into a map", err), m.Close())
		}
	}
	return m, nil
}

func (l *lookup) detach(context.Context) error {
	if l.link == nil {
		return nil
	}
	err := l.link.Close()
	l.link = nil
	return err
}

// What a program of sk_lookup is called with: offsets in struct bpf_sk_lookup
// (linux/bpf.h).
var lookupLayout = destination{
	protocol: 12, address4: 40, address6: 44, port: 60, portSize: asm.Word, family: 8,
}

// offsets of the client's address and port there.
const (
	lookupRemote4, lookupRemote6, lookupRemotePort = 16, 20, 36
)

// neighbours bounds how many replicas a program asks, one after the other, where
// the first is closed.
const neighbours = 32

// lookupProgram assigns a replica's socket to what comes to the front, and that
// of the next one where it is closed. All else passes, as does what finds nobody.
func lookupProgram(k *picker, sockets *ebpf.Map, p lab.BPFProgram) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.Mov.Reg(called, asm.R1), asm.Mov.Imm(attempt, 0)}
	code = append(code, lookupLayout.match(p)...)
	if p.Method == lab.MethodHash {
		code = append(code, lookupClient(p.Front[0].Addr())...)
	}
	code = append(code, k.pick()...)
	code = append(code,
		asm.LoadMapPtr(asm.R1, sockets.FD()).WithSymbol("again"),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, onStack),
		asm.FnMapLookupElem.Call(),
		asm.JNE.Imm(asm.R0, 0, "found"),
		asm.Add.Imm(chosen, 1),
		asm.Mod.Imm(chosen, int32(len(p.Replicas))),
		asm.StoreMem(asm.RFP, onStack, chosen, asm.Word),
		asm.Add.Imm(attempt, 1),
		asm.JLT.Imm(attempt, neighbours, "again"),
		asm.Ja.Label("pass"),
		asm.Mov.Reg(chosen, asm.R0).WithSymbol("found"),
		asm.Mov.Reg(asm.R1, called),
		asm.Mov.Reg(asm.R2, asm.R0),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R1, chosen),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("pass"), // SK_PASS
		asm.Return(),
	)
	return &ebpf.ProgramSpec{
		Name: "portlab_front", Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup, License: "MIT", Instructions: code,
	}
}

// lookupClient leaves in drawn what a hash goes by: the client's address and port.
func lookupClient(front netip.Addr) asm.Instructions {
	code := asm.Instructions{
		asm.LoadMem(drawn, called, lookupRemotePort, asm.Half),
		asm.LSh.Imm(drawn, 32),
	}
	if front.Is4() {
		return append(code, asm.LoadMem(asm.R1, called, lookupRemote4, asm.Word), asm.Xor.Reg(drawn, asm.R1))
	}
	for word := range int16(4) {
		code = append(code, asm.LoadMem(asm.R1, called, lookupRemote6+4*word, asm.Word), asm.Xor.Reg(drawn, asm.R1))
		code = append(code, mix(drawn)...)
	}
	return code
}
