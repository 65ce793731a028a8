package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// withMember does something with one socket of those that listen at an address.
func withMember(ctx context.Context, ns *Namespace, transport string, at netip.AddrPort, do func(fd int) error) error {
	held, err := borrow(ctx, ns, transport, at)
	if err != nil {
		return err
	}
	defer giveBack(held)
	if len(held) == 0 {
		return fmt.Errorf("%s %s: %w", transport, at, ErrNobodyListens)
	}
	return do(int(held[0].Fd()))
}

// detachGroups takes the program from each group of sockets that is still there.
func detachGroups(ctx context.Context, ns *Namespace, p lab.BPFProgram) error {
	var errs []error
	for _, at := range p.Front {
		err := withMember(ctx, ns, p.Transport, at, func(fd int) error {
			return os.NewSyscallError("SO_DETACH_REUSEPORT_BPF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_REUSEPORT_BPF, 0))
		})
		if errors.Is(err, ErrNobodyListens) || errors.Is(err, unix.ENOENT) {
			continue // the group is gone with its program, or has none
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// reuseportGroups is a program of eBPF on each group of sockets that share an
// address and port. Only replicas that it is told of get anything: one that is to
// leave is left out first, while it still accepts what waits.
type reuseportGroups struct {
	ns      *Namespace
	program lab.BPFProgram
	groups  map[netip.AddrPort]*reuseportGroup
}

// reuseportGroup is the sockets of one address, in the slots of a map. A socket
// can be in one such map only, so the map stays while programs follow each other.
type reuseportGroup struct {
	sockets *ebpf.Map
	slots   map[uint64]uint32 // by the socket's inode
}

// mostSockets is how many slots a group has: those of twice as many replicas as
// a bridge has ports, so that a fleet can be exchanged for another.
const mostSockets = 2048

func (r *reuseportGroups) become(ctx context.Context, p lab.BPFProgram) error {
	if r.groups == nil {
		r.groups = map[netip.AddrPort]*reuseportGroup{}
	}
	r.program = p
	for _, at := range p.Front {
		g := r.groups[at]
		if g == nil {
			m, err := newMap(ebpf.MapSpec{Type: ebpf.ReusePortSockArray, KeySize: 4, ValueSize: 8, MaxEntries: mostSockets})
			if err != nil {
				return err
			}
			g = &reuseportGroup{sockets: m, slots: map[uint64]uint32{}}
			r.groups[at] = g
		}
		held, err := borrowFor(ctx, r.ns, p.Transport, at, p.Replicas)
		if err != nil {
			return err
		}
		err = g.become(p, held)
		giveBack(held)
		if err != nil {
			return fmt.Errorf("lead to the sockets at %s: %w", at, err)
		}
	}
	return nil
}

// become has a group's connections go to these sockets alone.
func (g *reuseportGroup) become(p lab.BPFProgram, held []heldSocket) error {
	k, err := newPicker(p.Method, p.Replicas)
	if err != nil {
		return err
	}
	defer k.Close() // the program keeps what it uses
	slots, err := g.admit(held)
	if err != nil {
		return err
	}
	for i := range k.length {
		var c column
		if err := k.table.Lookup(uint32(i), &c); err != nil {
			return bpfError("read a map", err)
		}
		c.Index, c.Alias = slots[c.Index], slots[c.Alias]
		if err := k.table.Put(uint32(i), c); err != nil {
			return bpfError("fill a map", err)
		}
	}
	program, err := load(reuseportProgram(k, g.sockets))
	if err != nil {
		return err
	}
	defer program.Close() // the group keeps it
	if err := unix.SetsockoptInt(int(held[0].Fd()), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_EBPF, program.FD()); err != nil {
		return privileged("set SO_ATTACH_REUSEPORT_EBPF", err)
	}
	return g.dismiss(held)
}

// admit puts sockets into slots, unless they have one, and gives the slot of each.
func (g *reuseportGroup) admit(held []heldSocket) ([]uint32, error) {
	taken := map[uint32]bool{}
	for _, slot := range g.slots {
		taken[slot] = true
	}
	slots, free := make([]uint32, len(held)), uint32(0)
	for i, s := range held {
		slot, there := g.slots[s.inode]
		if !there {
			for taken[free] {
				free++
			}
			slot = free
			if err := g.sockets.Put(slot, uint64(s.Fd())); err != nil {
				return nil, bpfError("put a socket into a map", err)
			}
			g.slots[s.inode], taken[slot] = slot, true
		}
		slots[i] = slot
	}
	return slots, nil
}

// dismiss frees the slots of all other sockets; the kernel has freed those of
// closed ones by itself.
func (g *reuseportGroup) dismiss(held []heldSocket) error {
	stay := map[uint64]bool{}
	for _, s := range held {
		stay[s.inode] = true
	}
	for inode, slot := range g.slots {
		if stay[inode] {
			continue
		}
		if err := g.sockets.Delete(slot); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return bpfError("take a socket out of a map", err)
		}
		delete(g.slots, inode)
	}
	return nil
}

func (r *reuseportGroups) detach(ctx context.Context) error {
	errs := []error{detachGroups(ctx, r.ns, r.program)}
	for at, g := range r.groups {
		errs = append(errs, g.sockets.Close())
		delete(r.groups, at)
	}
	return errors.Join(errs...)
}

// tries bounds how often a program chooses anew where nobody is.
const tries = 8

// reuseportProgram picks a socket, and another where that one is closed. It also
// says who takes over what waits in the queue of a replica that ends, whatever
// net.ipv4.tcp_migrate_req is (Linux 5.14). Where it says nothing, the kernel
// picks by a hash.
func reuseportProgram(k *picker, sockets *ebpf.Map) *ebpf.ProgramSpec {
	code := asm.Instructions{asm.Mov.Reg(called, asm.R1), asm.Mov.Imm(attempt, 0)}
	again := k.pick()
	again[0] = again[0].WithSymbol("again")
	code = append(code, again...)
	code = append(code,
		asm.Mov.Reg(asm.R1, called),
		asm.LoadMapPtr(asm.R2, sockets.FD()),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, onStack),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnSkSelectReuseport.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
		asm.Add.Imm(attempt, 1),
		asm.JLT.Imm(attempt, tries, "again"),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("pass"), // SK_PASS
		asm.Return(),
	)
	return &ebpf.ProgramSpec{
		Name: "portlab_front", Type: ebpf.SkReuseport, AttachType: ebpf.AttachSkReuseportSelectOrMigrate,
		License: "MIT", Instructions: code,
	}
}
