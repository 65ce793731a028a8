package lab

import (
	"errors"
	"fmt"
	"strings"
)

// UsageError is a mistake in what was asked for. Nothing was touched.
type UsageError struct{ Problem string }

func (e *UsageError) Error() string { return e.Problem }

// Usagef makes a [UsageError].
func Usagef(format string, args ...any) error {
	return &UsageError{Problem: fmt.Sprintf(format, args...)}
}

// ErrUnsupported is what errors.Is finds in every [UnsupportedError].
var ErrUnsupported = errors.New("not supported here")

// UnsupportedError says that something cannot run here: why, and what to do
// about it. A probe that cannot tell returns some other error.
type UnsupportedError struct {
	What   string // what was asked for
	Reason string // why it cannot be had
	Remedy string // what to do now; empty if nothing helps
}

func (e *UnsupportedError) Error() string {
	var b strings.Builder
	if e.What != "" {
		b.WriteString(e.What + ": ")
	}
	b.WriteString(e.Reason)
	if e.Remedy != "" {
		b.WriteString(" (" + e.Remedy + ")")
	}
	return b.String()
}

// Is makes errors.Is(err, ErrUnsupported) true.
func (e *UnsupportedError) Is(target error) bool { return target == ErrUnsupported }

// RefusedError says that the host refused a step, in a way that is itself the
// finding: a second server on one port gets "address already in use". [Run]
// turns it into the verdict [Refused] instead of failing.
type RefusedError struct {
	What string // what was tried
	Err  error  // what the system said
}

func (e *RefusedError) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap gives what the system said.
func (e *RefusedError) Unwrap() error { return e.Err }

// UncleanError says that something which a run made could not be taken away.
type UncleanError struct{ Err error }

func (e *UncleanError) Error() string { return "clean up: " + e.Err.Error() }

// Unwrap gives what stood in the way.
func (e *UncleanError) Unwrap() error { return e.Err }

// Unclean makes an [UncleanError] of what went wrong while a run cleaned up,
// and nil of nil.
func Unclean(err error) error {
	if err == nil {
		return nil
	}
	return &UncleanError{Err: err}
}
