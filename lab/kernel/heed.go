package kernel

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"time"
)

// heedTimeout is how long a process may take until it heeds a signal.
const heedTimeout = 5 * time.Second

// AwaitHeed returns when a process would act on a signal sent now. One that
// starts, or that reads its configuration again, may block or ignore the signal
// for a while, and it would be lost; HAProxy's master does so for some 200 ms.
func AwaitHeed(ctx context.Context, pid int, sig syscall.Signal) error {
	late := fmt.Errorf("process %d does not heed signal %d after %s", pid, sig, heedTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, heedTimeout, late)
	defer cancel()
	for pause := time.Millisecond; !heeds(pid, sig); pause = min(2*pause, 20*time.Millisecond) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return nil
}

// heeds says whether a process catches a signal, does not block it and has none
// of it waiting (proc_pid_status(5)).
func heeds(pid int, sig syscall.Signal) bool {
	in := func(mask string) bool {
		set, err := strconv.ParseUint(field(procFile(pid, "status"), mask, ":"), 16, 64)
		return err == nil && set&(1<<(sig-1)) != 0
	}
	return in("SigCgt") && !in("SigBlk") && !in("ShdPnd")
}
