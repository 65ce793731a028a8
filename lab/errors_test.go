package lab

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
)

func TestErrorsAreFoundThroughWrapping(t *testing.T) {
	no := fmt.Errorf("open: %w", &UnsupportedError{What: "x", Reason: "no iptables"})
	if !errors.Is(no, ErrUnsupported) {
		t.Error("an unsupported error is not found by ErrUnsupported")
	}
	said := syscall.EADDRINUSE
	refused := fmt.Errorf("open: %w", &RefusedError{What: "bind", Err: said})
	unclean := fmt.Errorf("close: %w", Unclean(fmt.Errorf("remove: %w", said)))
	for _, err := range []error{refused, unclean} {
		if !errors.Is(err, said) {
			t.Errorf("%v: what the system said is lost", err)
		}
	}
	for _, err := range []error{refused, unclean, Usagef("no")} {
		if errors.Is(err, ErrUnsupported) {
			t.Errorf("%v counts as unsupported", err)
		}
	}
}

func TestCleanUpWithoutAnErrorIsClean(t *testing.T) {
	if err := Unclean(nil); err != nil {
		t.Errorf("got %v of nothing", err)
	}
}
