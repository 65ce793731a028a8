package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/netns"
)

// world is how the program comes into a world of its own (lab/netns).
type world struct {
	runtime string // the runtime that needs one
	inside  bool   // this process is in one
	enter   func(context.Context, netns.World) (status int, err error)
}

// thisWorld is where this process is.
func thisWorld(runtime string) world {
	return world{runtime: runtime, inside: netns.Inside(), enter: netns.Enter}
}

// outside says whether a runtime needs a world, and this process is in none.
func (a *app) outside(r lab.Runtime) bool { return r.Name() == a.world.runtime && !a.world.inside }

// exitError is the exit status of the process in a world or in a machine, which
// has told all that there is to tell.
type exitError int

func (s exitError) Error() string { return fmt.Sprintf("it ended with exit status %d", int(s)) }

// handOver carries out this very command line in a world, and returns its exit
// status as an error. Where no world can be made, it says so, and why the
// runtimes before this one were ruled out.
func (a *app) handOver(ctx context.Context, t *lab.Trial, passed []ruledOut) error {
	status, err := a.world.enter(ctx, netns.World{
		Args: a.args, Env: withoutSudo(), Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr,
	})
	switch {
	case errors.Is(err, lab.ErrUnsupported) && len(passed) > 0:
		return append(noRuntimeError(passed), ruledOut{t.Runtime.Name(), err})
	case err != nil:
		return err
	case status != statusMeasured:
		return exitError(status)
	}
	return nil
}

// withoutSudo hides from a user's world who has become that user by sudo(8):
// root there has no right to give files to anyone.
func withoutSudo() []string {
	if os.Geteuid() == 0 {
		return nil
	}
	return []string{"SUDO_UID=", "SUDO_GID="}
}

// forgetful is the journal of a run in a world: what it would note is gone when
// it would be read.
type forgetful struct{}

func (forgetful) Write(lab.Note) error { return nil }
