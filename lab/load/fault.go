package load

import (
	"errors"
	"os"
	"syscall"

	"github.com/portlab/portlab/lab"
)

// faults says which fault an error is, whenever it occurs (connect(2), tcp(7)).
// The deadline is not among them: what it means depends on when it passes.
var faults = []struct {
	fault lab.Fault
	of    []error
}{
	{lab.Refused, []error{syscall.ECONNREFUSED}},
	{lab.Reset, []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, errClosedEarly}},
	{lab.Unreachable, []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH}},
	{lab.ClientLimit, []error{
		syscall.EADDRNOTAVAIL, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	}},
	{lab.BadAnswer, []error{errTooLong}},
}

// classify names the fault of a request that failed before or after its
// connection stood.
func classify(err error, connected bool) lab.Fault {
	for _, f := range faults {
		for _, target := range f.of {
			if errors.Is(err, target) {
				return f.fault
			}
		}
	}
	var malformed *malformedError
	switch {
	case errors.As(err, &malformed):
		return lab.BadAnswer
	case !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ETIMEDOUT):
		return lab.Other
	case connected:
		return lab.ReadTimeout
	}
	return lab.ConnectTimeout
}

// maxDetail bounds, in bytes, what is kept of an error's text: a malformed
// answer is quoted in it.
const maxDetail = 120

func detail(err error) string {
	text := err.Error()
	if len(text) > maxDetail {
		return text[:maxDetail] + "..."
	}
	return text
}
