package kernel

import (
	"context"
	"errors"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/portlab/portlab/lab"
)

// connectHook is a program that sees to which address the processes of a control
// group connect (cgroups(7)). It belongs to the group that this process is in, by
// a link that lives as long as this process holds it, and acts only in the
// network namespaces of the host and of the replicas.
type connectHook struct {
	ns   *Namespace
	link *link.RawLink
}

func (c *connectHook) become(ctx context.Context, p lab.BPFProgram) error {
	group, err := openGroup()
	if err != nil {
		return err
	}
	defer group.Close()
	namespaces, err := c.namespaces(ctx, p)
	if err != nil {
		return err
	}
	defer namespaces.Close() // the program keeps what it uses
	targets, err := targetsOf(p.Replicas)
	if err != nil {
		return err
	}
	defer targets.Close()
	k, err := newPicker(p.Method, p.Replicas)
	if err != nil {
		return err
	}
	defer k.Close()
	spec := connectProgram(k, namespaces, targets, p)
	program, err := load(spec)
	if err != nil {
		return err
	}
	defer program.Close() // the link keeps it
	return attachLink(&c.link, int(group.Fd()), program, spec.AttachType)
}

func (c *connectHook) detach(context.Context) error {
	if c.link == nil {
		return nil
	}
	err := c.link.Close()
	c.link = nil
	return err
}

// target is a replica's address as a program writes it.
type target struct {
	Address [16]byte // of IPv4, the first four
	Port    uint32   // in the network's byte order
}

const targetSize = 20 // bytes

func targetsOf(replicas []lab.Replica) (*ebpf.Map, error) {
	m, err := newMap(ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: targetSize, MaxEntries: uint32(len(replicas))})
	if err != nil {
		return nil, err
	}
	for i, r := range replicas {
		t := target{Port: inOrder(r.Address.Port())}
		copy(t.Address[:], r.Address.Addr().AsSlice())
		if err := m.Put(uint32(i), t); err != nil {
			return nil, errors.Join(bpfError("fill a map", err), m.Close())
		}
	}
	return m, nil
}

// What a program of connect(2) is called with: offsets in struct bpf_sock_addr
// (linux/bpf.h).
var connectLayout = destination{
	family: 28, protocol: 36, address4: 4, address6: 8, port: 24, portSize: asm.Word, portInOrder: true,
}

// connectProgram writes a replica's address in the place of the front's.
func connectProgram(k *picker, namespaces, targets *ebpf.Map, p lab.BPFProgram) *ebpf.ProgramSpec {
	const cookie = -16 // where it is on the stack
	code := append(asm.Instructions{asm.Mov.Reg(called, asm.R1)}, connectLayout.match(p)...)
	code = append(code,
		asm.Mov.Reg(asm.R1, called),
		asm.FnGetNetnsCookie.Call(),
		asm.StoreMem(asm.RFP, cookie, asm.R0, asm.DWord),
		asm.LoadMapPtr(asm.R1, namespaces.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, cookie),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	)
	code = append(code, k.pick()...)
	code = append(code, entry(targets, chosen)...)
	to, attach, length := connectLayout.address4, ebpf.AttachCGroupInet4Connect, int16(1)
	if p.Front[0].Addr().Is6() {
		to, attach, length = connectLayout.address6, ebpf.AttachCGroupInet6Connect, 4
	}
	for word := range length {
		code = append(code, asm.LoadMem(asm.R1, asm.R0, 4*word, asm.Word), asm.StoreMem(called, to+4*word, asm.R1, asm.Word))
	}
	code = append(code,
		asm.LoadMem(asm.R1, asm.R0, 16, asm.Word),
		asm.StoreMem(called, connectLayout.port, asm.R1, asm.Word),
		asm.Mov.Imm(asm.R0, 1).WithSymbol("pass"), // go on
		asm.Return(),
	)
	return &ebpf.ProgramSpec{
		Name: "portlab_front", Type: ebpf.CGroupSockAddr, AttachType: attach, License: "MIT", Instructions: code,
	}
}
