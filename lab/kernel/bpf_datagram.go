package kernel

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// sentFronts is a map that remembers to which front a socket has sent what went
// to a replica. The oldest go first.
var sentFronts = ebpf.MapSpec{Type: ebpf.LRUHash, KeySize: sentKeySize, ValueSize: targetSize, MaxEntries: 65536}

// What is on the stack of these programs beside what all have: the key of that
// map, which is a socket's cookie (bpf-helpers(7), bpf_get_socket_cookie) and a
// replica's target, and its value, which is the front as a target.
const (
	sentKeySize = 32 // bytes, 4 of them unused
	sentKey     = -48
	sentTarget  = sentKey + 8
	sentValue   = -72
)

// send leads each datagram that is sent to the front with no connect(2), and
// remembers which front it was.
func (r *rewriter) send(sent *ebpf.Map) *ebpf.ProgramSpec {
	code := append(r.ours(), r.keep(sentValue)...)
	code = append(code, r.k.pick()...)
	code = append(code, entry(r.targets, chosen)...)
	code = append(code, r.write()...)
	code = append(code, r.keep(sentTarget)...)
	code = append(code, r.key()...)
	code = append(code,
		asm.LoadMapPtr(asm.R1, sent.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sentKey),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, sentValue),
		asm.Mov.Imm(asm.R4, 0), // BPF_ANY
		asm.FnMapUpdateElem.Call(),
	)
	return r.spec(ebpf.AttachCGroupUDP4Sendmsg, ebpf.AttachCGroupUDP6Sendmsg, code)
}

// receive has an answer come from the front that the question was sent to.
func (r *rewriter) receive(sent *ebpf.Map) *ebpf.ProgramSpec {
	code := append(asm.Instructions{asm.Mov.Reg(called, asm.R1)}, r.keep(sentTarget)...)
	code = append(code, r.key()...)
	code = append(code,
		asm.LoadMapPtr(asm.R1, sent.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, sentKey),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "pass"),
	)
	code = append(code, r.write()...)
	return r.spec(ebpf.AttachCGroupUDP4Recvmsg, ebpf.AttachCGroupUDP6Recvmsg, code)
}

// keep puts the address that the program is called with on the stack, as a target.
func (r *rewriter) keep(at int16) asm.Instructions {
	var code asm.Instructions
	from, words := r.address()
	for word := range int16(4) {
		if word < words {
			code = append(code, asm.LoadMem(asm.R1, called, from+4*word, asm.Word))
		} else {
			code = append(code, asm.Mov.Imm(asm.R1, 0))
		}
		code = append(code, asm.StoreMem(asm.RFP, at+4*word, asm.R1, asm.Word))
	}
	return append(code,
		asm.LoadMem(asm.R1, called, connectLayout.port, asm.Word),
		asm.StoreMem(asm.RFP, at+targetPort, asm.R1, asm.Word),
	)
}

// key completes the key on the stack, of which the target is there.
func (r *rewriter) key() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.RFP, sentTarget+targetSize, asm.R1, asm.Word),
		asm.Mov.Reg(asm.R1, called),
		asm.FnGetSocketCookie.Call(),
		asm.StoreMem(asm.RFP, sentKey, asm.R0, asm.DWord),
	}
}
