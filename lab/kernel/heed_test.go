package kernel

import (
	"os"
	"os/signal"
	"testing"

	"golang.org/x/sys/unix"
)

// A signal is heeded while something catches it.
func TestHeeds(t *testing.T) {
	taken := make(chan os.Signal, 1)
	signal.Notify(taken, unix.SIGUSR2)
	defer signal.Stop(taken)
	if err := AwaitHeed(t.Context(), os.Getpid(), unix.SIGUSR2); err != nil {
		t.Error(err)
	}
	signal.Ignore(unix.SIGUSR1)
	defer signal.Reset(unix.SIGUSR1)
	if heeds(os.Getpid(), unix.SIGUSR1) {
		t.Error("it heeds what it ignores")
	}
	if heeds(1<<30, unix.SIGUSR2) {
		t.Error("there is no such process")
	}
}
