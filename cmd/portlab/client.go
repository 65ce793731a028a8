package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/portlab/portlab/lab/load"
)

// asClient is the whole program where it was started as the process that makes
// the requests of a run (load.Process), and says whether it was. It comes before
// the command line: all that starts with it is time before the first request.
func asClient(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (is bool, status int) {
	if !slices.Equal(args, []string{load.ClientWord}) {
		return false, statusMeasured
	}
	if err := load.Child(ctx, stdin, stdout); err != nil {
		fmt.Fprintf(stderr, "portlab: client: %v\n", err)
		return true, statusBroken
	}
	return true, statusMeasured
}
