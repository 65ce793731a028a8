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
	)
	switch {
	case err == nil:
		return statusMeasured
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

// tell writes an error for people. Of an interrupted run it says only what
// went wrong beside the interruption.
func tell(ctx context.Context, w io.Writer, err error) {
	if err == nil {
		return
	}
	if ctx.Err() != nil {
		fmt.Fprintf(w, "portlab: %v\n", context.Cause(ctx))
		err = errors.Join(besides(err, context.Canceled)...)
	}
	if err != nil {
		fmt.Fprintf(w, "portlab: %v\n", err)
	}
}

// besides gives the errors joined in err that are not target.
func besides(err, target error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if errors.Is(err, target) {
			return nil
		}
		return []error{err}
	}
	var rest []error
	for _, e := range joined.Unwrap() {
		rest = append(rest, besides(e, target)...)
	}
	return rest
}
