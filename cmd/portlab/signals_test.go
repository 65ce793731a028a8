package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"
)

// soon is how long a signal to oneself may take before a test gives up.
const soon = 10 * time.Second

func TestTheFirstSignalEndsTheContextAndTheSecondTheProcess(t *testing.T) {
	ended := make(chan struct{})
	ctx, stop := untilSignal(t.Context(), []os.Signal{syscall.SIGUSR1}, func() { close(ended) })
	defer stop()
	send(t, syscall.SIGPIPE)
	send(t, syscall.SIGUSR1)
	select {
	case <-ctx.Done():
	case <-time.After(soon):
		t.Fatal("the first signal did not end the context")
	}
	if want := (interrupt{syscall.SIGUSR1}); !errors.Is(context.Cause(ctx), want) {
		t.Errorf("the cause is %v, want %v", context.Cause(ctx), want)
	}
	send(t, syscall.SIGUSR1)
	select {
	case <-ended:
	case <-time.After(soon):
		t.Fatal("the second signal did not end the process")
	}
}

func TestWhatReadsAgainLivesThroughSIGHUP(t *testing.T) {
	for first, ends := range map[string]bool{
		"run": true, "serve": true, "proxy": false, "tcp-proxy": false, "names": false, "objects": false,
	} {
		got := false
		for _, s := range endingSignals([]string{first}) {
			got = got || s == syscall.SIGHUP
		}
		if got != ends {
			t.Errorf("SIGHUP ends %s: %v, want %v", first, got, ends)
		}
	}
}

func send(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}
