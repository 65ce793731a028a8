package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/portlab/portlab/lab"
)

// The exit statuses. They are a contract with scripts.
const (
	statusMeasured    = 0
	statusRefuted     = 1 // a claim asked for with --claim or --assert
	statusUsage       = 2
	statusCannotRun   = 3 // unsupported, no permission, nothing to run it on
	statusBroken      = 4 // on the way
	statusInterrupted = 130
)

// refutedError says that a run measured, and that a claim asked for is false.
type refutedError struct{ claims []string }

func (e *refutedError) Error() string { return "refuted: " + strings.Join(e.claims, "; ") }

// status is the exit status for what a command returned under ctx.
func status(ctx context.Context, err error) int {
	var (
		usage   *lab.UsageError
		refuted *refutedError
		inWorld exitError
	)
	switch {
	case err == nil:
		return statusMeasured
	case errors.As(err, &inWorld):
		return int(inWorld)
	case errors.As(err, &refuted):
		return statusRefuted
	case ctx.Err() != nil:
		return statusInterrupted
	case errors.As(err, &usage):
		return statusUsage
	case errors.Is(err, lab.ErrUnsupported):
		return statusCannotRun
	}
	return statusBroken
}

// tell writes an error for people. What goes wrong in an interrupted run does
// so because it was interrupted: of that it says only what could not be
// cleaned up. What the process in a world has told is not told again.
func tell(ctx context.Context, w io.Writer, err error) {
	if _, told := errors.AsType[exitError](err); told || err == nil {
		return
	}
	if ctx.Err() == nil {
		fmt.Fprintf(w, "portlab: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nportlab: "))
		return
	}
	fmt.Fprintf(w, "portlab: %v\n", context.Cause(ctx))
	for _, e := range leaves(err) {
		if _, ok := errors.AsType[*lab.UncleanError](e); ok {
			fmt.Fprintf(w, "portlab: %v\n", e)
		}
	}
}

// leaves are the errors that are joined in err.
func leaves(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, leaves(e)...)
	}
	return all
}
