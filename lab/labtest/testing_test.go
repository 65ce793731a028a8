package labtest

import (
	"fmt"
	"testing"
)

// recorder is a testing.TB that takes failures for findings.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}
