package kernel

import "testing"

func TestWhatAMachineRunsOn(t *testing.T) {
	for name, c := range map[string]struct {
		machine
		runsOn   string
		emulated bool
	}{
		"hardware":                       {machine{product: "PowerEdge R640", vendor: "Dell Inc."}, "", false},
		"hardware of Arm":                {machine{product: "Altra", implementer: "0x41", part: "0xd0c"}, "", false},
		"QEMU with KVM":                  {machine{signature: "KVMKVMKVM", product: "Standard PC (Q35 + ICH9, 2009)", vendor: "QEMU"}, "kvm", false},
		"QEMU with TCG":                  {machine{signature: "TCGTCGTCGTCG", product: "Standard PC (Q35 + ICH9, 2009)", vendor: "QEMU"}, "qemu", true},
		"TCG in disguise, told":          {machine{told: true, signature: "KVMKVMKVM"}, "kvm", true},
		"TCG without DMI":                {machine{signature: "TCGTCGTCGTCG"}, "qemu", true},
		"told, and nothing else known":   {machine{told: true}, "qemu", true},
		"QEMU on another system's means": {machine{product: "Standard PC (Q35 + ICH9, 2009)", vendor: "QEMU"}, "qemu", false},
		"Arm with KVM":                   {machine{product: "KVM Virtual Machine", vendor: "QEMU", implementer: "0x41", part: "0xd0c"}, "kvm", false},
		"Arm with TCG, max":              {machine{implementer: "0x00", part: "0x051"}, "qemu", true},
		"Arm with TCG, cortex-a72":       {machine{product: "QEMU Virtual Machine", vendor: "QEMU", implementer: "0x41", part: "0xd08"}, "qemu", true},
		"Arm with Apple's means":         {machine{product: "QEMU Virtual Machine", vendor: "QEMU", implementer: "0x61", part: "0x022"}, "qemu", false},
		"VirtualBox":                     {machine{signature: "KVMKVMKVM", product: "VirtualBox", vendor: "innotek GmbH"}, "oracle", false},
		"VMware":                         {machine{signature: "VMwareVMware", product: "VMware Virtual Platform", vendor: "VMware, Inc."}, "vmware", false},
		"Parallels":                      {machine{product: "Parallels Virtual Platform"}, "parallels", false},
		"a hypervisor of no known name":  {machine{signature: "SomethingNew"}, "", false},
	} {
		if got, emulated := c.virtualization(), c.machine.emulated(); got != c.runsOn || emulated != c.emulated {
			t.Errorf("%s: runs on %q, emulated %v; want %q, %v", name, got, emulated, c.runsOn, c.emulated)
		}
	}
}

func TestAMachineIsToldThatItIsEmulated(t *testing.T) {
	ns, err := Own()
	no(t, err)
	defer ns.Close()
	t.Setenv(EnvEmulated, "1")
	if e := Environment(t.Context(), ns); !e.Emulated || e.Virtualization == "" {
		t.Errorf("emulated %v, on %q", e.Emulated, e.Virtualization)
	}
}

// The kernel reads the same bit of the processor.
func TestASignatureIsThatOfAHypervisor(t *testing.T) {
	if flagged := flagged("hypervisor"); (hypervisorSignature() != "") && !flagged {
		t.Errorf("signature %q, and the kernel knows of no hypervisor", hypervisorSignature())
	}
}
