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
// group connect (cgroups(7)); over UDP, two more that see to which they send, and
// from which they receive. They belong to the group that this process is in, by
// links that live as long as this process holds them, and act only in the network
// namespaces of the host and of the replicas.
type connectHook struct {
	ns    *Namespace
	links map[ebpf.AttachType]*link.RawLink
	sent  *ebpf.Map // over UDP: which front a socket has sent to, by socket and replica
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
	if c.links == nil {
		c.links = map[ebpf.AttachType]*link.RawLink{}
	}
	if c.sent == nil && p.Transport == "udp" {
		if c.sent, err = newMap(sentFronts); err != nil {
			return errors.Join(err, namespaces.Close())
		}
	}
	r, err := newRewriter(p, namespaces)
	if err != nil {
		return err
	}
	defer r.Close() // the programs keep what they use
	for _, spec := range r.programs(c.sent) {
		if err := c.attach(int(group.Fd()), spec); err != nil {
			return err
		}
	}
	return nil
}

func (c *connectHook) attach(group int, spec *ebpf.ProgramSpec) error {
	program, err := load(spec)
	if err != nil {
		return err
	}
	defer program.Close() // the link keeps it
	l := c.links[spec.AttachType]
	err = attachLink(&l, group, program, spec.AttachType)
	if l != nil {
		c.links[spec.AttachType] = l
	}
	return err
}

func (c *connectHook) detach(context.Context) error {
	errs := []error{closeMaps(c.sent)}
	for at, l := range c.links {
		errs = append(errs, l.Close())
		delete(c.links, at)
	}
	c.sent = nil
	return errors.Join(errs...)
}

// rewriter makes the programs that lead clients to replicas.
type rewriter struct {
	p                   lab.BPFProgram
	k                   *picker
	namespaces, targets *ebpf.Map
}

// newRewriter takes the map of namespaces over.
func newRewriter(p lab.BPFProgram, namespaces *ebpf.Map) (_ *rewriter, err error) {
	r := &rewriter{p: p, namespaces: namespaces}
	if r.k, err = newPicker(p.Method, p.Replicas); err != nil {
		return nil, errors.Join(err, namespaces.Close())
	}
	if r.targets, err = targetsOf(p.Replicas); err != nil {
		return nil, errors.Join(err, namespaces.Close(), r.k.Close())
	}
	return r, nil
}

// Close lets go of the maps; programs that use them keep them.
func (r *rewriter) Close() error {
	return errors.Join(r.k.Close(), closeMaps(r.namespaces, r.targets))
}

// programs are those of the program's transport, in the order in which they are
// attached: an answer must not come before there is who knows it.
func (r *rewriter) programs(sent *ebpf.Map) []*ebpf.ProgramSpec {
	if r.p.Transport == "udp" {
		return []*ebpf.ProgramSpec{r.receive(sent), r.send(sent), r.connect()}
	}
	return []*ebpf.ProgramSpec{r.connect()}
}

// address is where the address is in what a program is called with, and how many
// words it has.
func (r *rewriter) address() (at, words int16) {
	if r.six() {
		return connectLayout.address6, 4
	}
	return connectLayout.address4, 1
}

func (r *rewriter) six() bool { return r.p.Front[0].Addr().Is6() }

// spec is a program at one of two hooks, by IP version.
func (r *rewriter) spec(four, six ebpf.AttachType, code asm.Instructions) *ebpf.ProgramSpec {
	at := four
	if r.six() {
		at = six
	}
	code = append(code, asm.Mov.Imm(asm.R0, 1).WithSymbol("pass"), asm.Return()) // go on
	return &ebpf.ProgramSpec{Name: "portlab_front", Type: ebpf.CGroupSockAddr, AttachType: at, License: "MIT", Instructions: code}
}

// target is an address as a program writes it.
type target struct {
	Address [16]byte // of IPv4, the first four
	Port    uint32   // in the network's byte order
}

const (
	targetSize = 20 // bytes
	targetPort = 16 // offset
)

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

// connect writes a replica's address in the place of the front's.
func (r *rewriter) connect() *ebpf.ProgramSpec {
	code := append(r.ours(), r.k.pick()...)
	code = append(code, entry(r.targets, chosen)...)
	code = append(code, r.write()...)
	return r.spec(ebpf.AttachCGroupInet4Connect, ebpf.AttachCGroupInet6Connect, code)
}

// ours goes on where a client of one of the namespaces calls the front, and else
// to the label pass.
func (r *rewriter) ours() asm.Instructions {
	const cookie = -16 // where it is on the stack
	code := append(asm.Instructions{asm.Mov.Reg(called, asm.R1)}, connectLayout.match(r.p)...)
	return append(code,
		asm.Mov.Reg(asm.R1, called),
		asm.FnGetNetnsCookie.Call(),
		asm.StoreMem(asm.RFP, cookie, asm.R0, asm.DWord),
		asm.LoadMapPtr(asm.R1, r.namespaces.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, cookie),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	)
}

// write has the client go on with the target that R0 points to.
func (r *rewriter) write() asm.Instructions {
	var code asm.Instructions
	to, words := r.address()
	for word := range words {
		code = append(code, asm.LoadMem(asm.R1, asm.R0, 4*word, asm.Word), asm.StoreMem(called, to+4*word, asm.R1, asm.Word))
	}
	return append(code, asm.LoadMem(asm.R1, asm.R0, targetPort, asm.Word), asm.StoreMem(called, connectLayout.port, asm.R1, asm.Word))
}
