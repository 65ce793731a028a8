package vm

import (
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// emulator is what of QEMU depends on the processor.
type emulator struct {
	program string
	// packages are those that have it: of Debian and Ubuntu, of Fedora, of Arch.
	packages [3]string
	machine  string // qemu-system(1), -machine
	// cpu is what is emulated: one without what is slow to emulate, and with what
	// gives the kernel its first random bytes, for which process 1 would wait.
	cpu     string
	console string // the kernel's name of the first serial port
}

// emulators are those of the processors that portlab runs on, by [runtime.GOARCH].
var emulators = map[string]emulator{
	"amd64": {
		program: "qemu-system-x86_64", packages: [3]string{"qemu-system-x86", "qemu-system-x86-core", "qemu-system-x86"},
		machine: "q35", cpu: "Nehalem,+rdrand", console: "ttyS0",
	},
	"arm64": {
		program: "qemu-system-aarch64", packages: [3]string{"qemu-system-arm", "qemu-system-aarch64-core", "qemu-system-aarch64"},
		machine: "virt,gic-version=max", cpu: "cortex-a57", console: "ttyAMA0",
	},
}

// findEmulator finds QEMU for this processor. It returns a
// [lab.UnsupportedError] where there is none.
func findEmulator() (emulator, string, error) {
	e, ok := emulators[runtime.GOARCH]
	if !ok {
		return e, "", &lab.UnsupportedError{What: "virtual machines", Reason: "portlab makes none on " + runtime.GOARCH}
	}
	for _, name := range []string{e.program, "/usr/libexec/qemu-kvm"} { // the latter on RHEL and its kin
		if path, err := exec.LookPath(name); err == nil {
			return e, path, nil
		}
	}
	return e, "", &lab.UnsupportedError{
		What: "virtual machines", Reason: "there is no " + e.program + " here",
		Remedy: fmt.Sprintf("install QEMU: apt-get install %s, dnf install %s, or pacman -S %s", e.packages[0], e.packages[1], e.packages[2]),
	}
}

// Accelerators of QEMU (qemu-system(1), -accel).
const (
	accelKVM = "kvm"
	accelTCG = "tcg" // emulation
)

// Where QEMU finds what it inherits.
const (
	initrdFD = 3 + iota
	agentFD
	firstCardFD
)

// arguments are QEMU's for a machine. It reads no configuration, and has no
// device that is not named here: no network to this machine, no screen, no USB.
func (c Config) arguments(e emulator, accel string, cards []card) []string {
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", e.machine, "-smp", strconv.Itoa(c.CPUs), "-m", strconv.Itoa(c.MemoryMiB),
		"-kernel", c.Image.Kernel, "-initrd", fmt.Sprintf("/proc/self/fd/%d", initrdFD),
		"-append", kernelLine(e, accel),
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "virtio-rng-pci",
		"-device", "virtio-serial-pci",
		"-chardev", fmt.Sprintf("socket,id=agent,fd=%d", agentFD),
		"-device", "virtserialport,chardev=agent,name=" + portName,
	}
	if accel == accelKVM {
		args = append(args, "-accel", accelKVM, "-cpu", "host")
	} else {
		args = append(args, "-accel", accelTCG+",thread=multi,tb-size=512", "-cpu", e.cpu)
	}
	if c.Image.Disk != "" {
		// What the machine writes goes into a file that QEMU has deleted before
		// it uses it.
		args = append(args, "-drive", "id=disk,if=none,format=raw,snapshot=on,cache=unsafe,file="+strings.ReplaceAll(c.Image.Disk, ",", ",,"),
			"-device", "virtio-blk-pci,drive=disk")
	}
	for i, card := range cards {
		// With no ROM: it would boot from the network.
		args = append(args, "-netdev", fmt.Sprintf("socket,id=net%d,fd=%d", i, firstCardFD+i),
			"-device", fmt.Sprintf("virtio-net-pci,netdev=net%d,mac=%s,romfile=", i, card.Hardware))
	}
	return args
}

// kernelLine is the kernel's command line (kernel-parameters.rst).
func kernelLine(e emulator, accel string) string {
	words := []string{
		"console=" + e.console, "quiet", "panic=-1", "random.trust_cpu=on",
		// Without AppArmor's own programs an engine's tasks fail where the kernel has
		// it, and it takes its time to start.
		"apparmor=0",
	}
	if accel == accelTCG {
		// What guards against other guests costs much and guards nothing here; an
		// emulated clock looks unreliable to the kernel, and is not; tests of the
		// kernel's cryptography take seconds.
		words = append(words, "mitigations=off", "tsc=reliable", "no_timer_check", "cryptomgr.notests")
	}
	return strings.Join(words, " ")
}
