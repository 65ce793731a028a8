package main

import (
	"context"
	"fmt"
	"io"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/docker"
	"github.com/portlab/portlab/lab/guard"
)

// guardWord is the guard's only argument, for people who list processes.
const guardWord = "guard"

// newSweeper is what takes away what runs leave on this machine.
func newSweeper() guard.Sweeper {
	s, err := docker.Sweeper()
	if err != nil {
		return guard.Sweeper{Find: []lab.Finder{func(context.Context) ([]lab.Trace, error) { return nil, err }}}
	}
	return s
}

// asGuard is the whole program where it was started as the guard of a run, and
// says whether it was.
func asGuard(ctx context.Context, s guard.Sweeper, stderr io.Writer) (is bool, status int) {
	is, err := guard.Child(ctx, s)
	if err != nil {
		fmt.Fprintf(stderr, "portlab: guard: %v\n", err)
		return is, statusBroken
	}
	return is, statusMeasured
}
