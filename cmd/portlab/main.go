// Command portlab puts N replicas of a server behind one port by many
// strategies, drives load through it, tests the distribution and the latency,
// and reports.
//
// The exit status is 0 when the run measured, 1 when a claim asked for was
// refuted, 2 on bad usage, 3 when it cannot run here, 4 when it broke on the
// way, and 130 when it was interrupted.
//
// The same static binary is what containers run: serve is the instrumented
// server, and the hidden pause and proxy are its other parts. The hidden client
// is the process that makes the requests.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/lab/vm"
)

func main() {
	// Before all else: as PID 1 of a container, a process without a handler
	// does not hear SIGTERM at all (pid_namespaces(7)).
	ctx, stop := untilSignal(context.Background(), endingSignals(os.Args[1:]), endAtOnce)
	if is, status := vm.Guest(ctx); is {
		os.Exit(status)
	}
	if is, status := asClient(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); is {
		os.Exit(status)
	}
	if is, status := asGuard(ctx, newSweeper(), os.Stderr); is {
		os.Exit(status)
	}
	if netns.Inside() {
		if err := netns.Settle(); err != nil {
			tell(ctx, os.Stderr, err)
			os.Exit(status(ctx, err))
		}
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// endAtOnce ends a process that was told twice to end. What is left of a run is
// taken back by its guard, and a world by the kernel.
func endAtOnce() {
	fmt.Fprintln(os.Stderr, "\nportlab: interrupted twice, ended at once: what is left is taken back behind it")
	os.Exit(statusInterrupted)
}

// run is the whole program but for the process around it. It returns the exit
// status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return newApp(stdin, stdout, stderr).run(ctx, args)
}
