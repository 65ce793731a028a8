package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// How a machine's processor is made: the words of [Config].Accel.
const (
	// AccelAuto takes KVM where it works, else emulation.
	AccelAuto = "auto"
	// AccelKVM has the processor run the guest itself.
	AccelKVM = "kvm"
	// AccelTCG emulates the processor, which works everywhere, slowly.
	AccelTCG = "tcg"
)

// kvmTime is how long a machine on KVM may take until its agent answers, where
// emulation is there to fall back on: some ten times what it takes. A KVM that
// does not work (as in many machines that are virtual themselves) opens, makes
// a guest, and then fails, or never gets anywhere.
const kvmTime = 15 * time.Second

// accelerators are what to try, in order, and why KVM is not among them.
// Whether it works shows only when a machine starts on it, so the first start
// is the trial; that it failed is remembered until this machine starts anew.
func accelerators(asked, cache string) (all []string, why string) {
	if asked != AccelAuto {
		return []string{asked}, ""
	}
	if err := unix.Access("/dev/kvm", unix.R_OK|unix.W_OK); err != nil {
		return []string{accelTCG}, fmt.Sprintf("/dev/kvm: %v", err)
	}
	if failed(cache) {
		return []string{accelTCG}, "KVM does not work on this machine"
	}
	return []string{accelKVM, accelTCG}, ""
}

// failedKVM is the name of a file beside the images that holds the id of the
// boot (random(4), boot_id) of which KVM is known not to work.
const failedKVM = ".kvm-failed"

func failed(cache string) bool {
	id, err := os.ReadFile(filepath.Join(cache, failedKVM))
	return err == nil && string(id) == bootID()
}

// noteFailed remembers that KVM does not work. Where it cannot, the next
// machine tries again.
func noteFailed(cache string) {
	_ = os.WriteFile(filepath.Join(cache, failedKVM), []byte(bootID()), 0o644)
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // unknown is as good as the same
	return strings.TrimSpace(string(id))
}

// checkAccel returns a [lab.UsageError] for an unknown word, and a
// [lab.UnsupportedError] for a KVM that this user cannot open.
func checkAccel(asked string) error {
	switch asked {
	case AccelAuto, AccelTCG:
		return nil
	case AccelKVM:
		err := unix.Access("/dev/kvm", unix.R_OK|unix.W_OK)
		if err == nil {
			return nil
		}
		remedy := "leave the choice to portlab, which emulates then"
		if errors.Is(err, unix.EACCES) {
			remedy = "run with sudo, or become a member of the group kvm"
		}
		return &lab.UnsupportedError{What: "KVM", Reason: fmt.Sprintf("/dev/kvm: %v", err), Remedy: remedy}
	}
	return lab.Usagef("an accelerator is %s, %s or %s, not %q", AccelAuto, AccelKVM, AccelTCG, asked)
}
