package main

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// interrupt is the cause of a context that a signal has ended.
type interrupt struct{ signal syscall.Signal }

func (i interrupt) Error() string { return "interrupted by " + unix.SignalName(i.signal) }

// rereading are the commands that read their configuration again on SIGHUP, and
// must live through it.
var rereading = []string{"proxy", "tcp-proxy", "names", "objects"}

// endingSignals are those that end this command line.
func endingSignals(args []string) []os.Signal {
	ending := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if len(args) > 0 && slices.Contains(rereading, args[0]) {
		return ending
	}
	return append(ending, syscall.SIGHUP)
}

// untilSignal returns a context that the first of these signals ends, with an
// [interrupt] as its cause. On the second it calls endAtOnce: what the run
// owns is then swept by its guard. SIGPIPE is caught, so that a closed pipe is
// an error of the write and not the end of the cleaning up; it is not ignored,
// since an ignored signal is inherited by every program that is started.
func untilSignal(ctx context.Context, ending []os.Signal, endAtOnce func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	got := make(chan os.Signal, 2)
	signal.Notify(got, append(slices.Clone(ending), syscall.SIGPIPE)...)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-got:
				if s == syscall.SIGPIPE {
					continue
				}
				if ctx.Err() != nil {
					endAtOnce()
					return
				}
				cancel(interrupt{s.(syscall.Signal)})
			}
		}
	}()
	return ctx, func() { signal.Stop(got); close(done); cancel(nil) }
}
