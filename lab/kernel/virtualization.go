package kernel

import (
	"os"
	"strings"
)

// EnvEmulated is the environment variable by which whoever starts a machine
// says that its processor is emulated in software: it is set, to anything. A
// machine cannot always tell by itself.
const EnvEmulated = "PORTLAB_EMULATED"

// machine is what a machine shows of what it runs on.
type machine struct {
	told            bool   // by [EnvEmulated]
	signature       string // of the hypervisor, on x86
	product, vendor string // of the DMI table (SMBIOS, type 1)
	implementer     string // of the processor, on Arm: MIDR_EL1, as /proc/cpuinfo shows it
	part            string
}

func thisMachine() machine {
	return machine{
		told:        os.Getenv(EnvEmulated) != "",
		signature:   hypervisorSignature(),
		product:     firstLine("/sys/class/dmi/id/product_name"),
		vendor:      firstLine("/sys/class/dmi/id/sys_vendor"),
		implementer: field("/proc/cpuinfo", "CPU implementer", ":"),
		part:        field("/proc/cpuinfo", "CPU part", ":"),
	}
}

// signatures of hypervisors, in the words of systemd-detect-virt(1).
var signatures = map[string]string{
	"KVMKVMKVM": "kvm", tcgSignature: "qemu", "VMwareVMware": "vmware", "Microsoft Hv": "microsoft",
	"XenVMMXenVMM": "xen", "VBoxVBoxVBox": "oracle",
}

// dmiNames begin a product's or a vendor's name, in the same words. The product
// comes first: QEMU's with KVM is "KVM", where the vendor is QEMU all the same.
var dmiNames = []struct{ begins, name string }{
	{"VirtualBox", "oracle"}, {"innotek GmbH", "oracle"}, {"Parallels", "parallels"}, {"VMware", "vmware"},
	{"KVM", "kvm"}, {"QEMU", "qemu"}, {"Apple Virtualization", "apple"},
}

// What QEMU shows where TCG, its emulator, carries out the instructions.
const (
	// tcgSignature is for TCG alone (target/i386/cpu.c), unless tcg-cpuid=off.
	tcgSignature = "TCGTCGTCGTCG"
	// maxPart is Q, of implementer 0, which is set apart for software: the
	// processor "max" under TCG (target/arm/tcg/cpu64.c).
	maxImplementer, maxPart = "0x00", "0x051"
	// emulatedProduct is what the machine "virt" calls itself without KVM
	// (hw/arm/virt.c). Accelerators of other systems do so too, but show the
	// processor that there is, which is not of Arm's own make.
	emulatedProduct = "QEMU Virtual Machine"
	armImplementer  = "0x41"
)

// emulated says whether the processor is emulated in software.
func (m machine) emulated() bool {
	return m.told || m.signature == tcgSignature ||
		m.implementer == maxImplementer && m.part == maxPart ||
		m.product == emulatedProduct && m.implementer == armImplementer
}

// virtualization is what the machine runs on; empty if nothing is known of.
func (m machine) virtualization() string {
	byDMI := m.byDMI()
	switch bySignature := signatures[m.signature]; {
	case byDMI == "oracle": // which shows the signature of KVM to Linux
		return byDMI
	case bySignature != "":
		return bySignature
	case byDMI == "" && m.emulated():
		return "qemu"
	}
	return byDMI
}

func (m machine) byDMI() string {
	for _, shown := range []string{m.product, m.vendor} {
		for _, d := range dmiNames {
			if strings.HasPrefix(shown, d.begins) {
				return d.name
			}
		}
	}
	return ""
}
