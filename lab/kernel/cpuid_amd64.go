package kernel

import (
	"encoding/binary"
	"strings"
)

// cpuid is the processor's own account of itself (Intel 64 and IA-32
// Architectures Software Developer's Manual, volume 2, CPUID), subleaf 0.
func cpuid(leaf uint32) (eax, ebx, ecx, edx uint32)

const (
	leafFeatures   = 1
	leafHypervisor = 0x40000000 // and what follows is a hypervisor's (Linux, Documentation/virt/kvm/x86/cpuid.rst)
	bitHypervisor  = 1 << 31    // of ecx
)

// hypervisorSignature is the name that a hypervisor gives itself, such as
// KVMKVMKVM; empty without one. No file shows it: of a processor's model, an
// emulator shows whatever it was told to.
func hypervisorSignature() string {
	if _, _, ecx, _ := cpuid(leafFeatures); ecx&bitHypervisor == 0 {
		return ""
	}
	_, ebx, ecx, edx := cpuid(leafHypervisor)
	var name []byte
	for _, part := range []uint32{ebx, ecx, edx} {
		name = binary.LittleEndian.AppendUint32(name, part)
	}
	return strings.TrimRight(string(name), "\x00")
}
