package kernel

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// destination is where a program finds what a packet or a client is bound for:
// offsets in what it is called with.
type destination struct {
	family, protocol, address4, address6, port int16
	portSize                                   asm.Size
	portInOrder                                bool // in the network's byte order
}

// match goes on where the program is called for the front, and else to the
// label pass.
func (d destination) match(p lab.BPFProgram) asm.Instructions {
	protocol, family := int32(unix.IPPROTO_TCP), int32(unix.AF_INET)
	if p.Transport == "udp" {
		protocol = unix.IPPROTO_UDP
	}
	if p.Front[0].Addr().Is6() {
		family = unix.AF_INET6
	}
	code := asm.Instructions{
		asm.LoadMem(asm.R1, called, d.protocol, asm.Word), asm.JNE.Imm(asm.R1, protocol, "pass"),
		asm.LoadMem(asm.R1, called, d.family, asm.Word), asm.JNE.Imm(asm.R1, family, "pass"),
	}
	for i, at := range p.Front {
		next := fmt.Sprint("not-", i)
		first := len(code)
		code = append(code, asm.LoadMem(asm.R1, called, d.port, d.portSize), asm.JNE.Imm(asm.R1, d.portOf(at), next))
		from := d.address4
		if at.Addr().Is6() {
			from = d.address6
		}
		for w, word := range addressWords(at.Addr().AsSlice()) {
			code = append(code, asm.LoadMem(asm.R1, called, from+4*int16(w), asm.Word), asm.JNE.Imm32(asm.R1, int32(word), next))
		}
		code = append(code, asm.Ja.Label("ours"))
		if i > 0 {
			code[first] = code[first].WithSymbol(fmt.Sprint("not-", i-1))
		}
	}
	return append(code,
		asm.Ja.Label("pass").WithSymbol(fmt.Sprint("not-", len(p.Front)-1)),
		asm.Mov.Imm(asm.R1, 0).WithSymbol("ours"),
	)
}

// portOf is a port as the program finds it.
func (d destination) portOf(at netip.AddrPort) int32 {
	if d.portInOrder {
		return int32(inOrder(at.Port()))
	}
	return int32(at.Port())
}

// addressWords are an address's, as the kernel holds it in memory.
func addressWords(address []byte) []uint32 {
	all := make([]uint32, len(address)/4)
	for i := range all {
		all[i] = binary.NativeEndian.Uint32(address[4*i:])
	}
	return all
}

// inOrder is a port in the network's byte order, read as a number of this
// machine's.
func inOrder(port uint16) uint32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return uint32(binary.NativeEndian.Uint16(b[:]))
}
