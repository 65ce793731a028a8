package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestStatusSaysWhatBecameOfACommand(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(interrupt{syscall.SIGINT})
	unsupported := &lab.UnsupportedError{Reason: "there is no engine"}
	for name, c := range map[string]struct {
		ctx  context.Context
		err  error
		want int
	}{
		"measured":                     {t.Context(), nil, 0},
		"refuted":                      {t.Context(), &refutedError{[]string{"uniform"}}, 1},
		"usage":                        {t.Context(), fmt.Errorf("run: %w", lab.Usagef("no")), 2},
		"unsupported":                  {t.Context(), fmt.Errorf("open: %w", unsupported), 3},
		"unsupported and unclean":      {t.Context(), errors.Join(unsupported, errors.New("clean up")), 3},
		"broken":                       {t.Context(), errors.New("the engine died"), 4},
		"interrupted":                  {interrupted, fmt.Errorf("open: %w", context.Canceled), 130},
		"interrupted, so half started": {interrupted, errors.New("killed"), 130},
		"ended well when interrupted":  {interrupted, nil, 0},
	} {
		if got := status(c.ctx, c.err); got != c.want {
			t.Errorf("%s: status %d, want %d", name, got, c.want)
		}
	}
}

func TestTellOfAnInterruptedRunSaysOnlyWhatElseWentWrong(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupt{syscall.SIGTERM})
	err := errors.Join(
		fmt.Errorf("apply chain: %w", context.Canceled),
		errors.New("the engine hung up"),
		lab.Unclean(errors.New("the chain is in use")),
	)
	var out bytes.Buffer
	tell(ctx, &out, err)
	want := "portlab: interrupted by SIGTERM\nportlab: clean up: the chain is in use\n"
	if out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}
