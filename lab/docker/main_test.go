package docker_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/docker"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/lab/labtest"
)

// TestMain is also the guard of the runs that these tests make: see
// [guard.Start].
func TestMain(m *testing.M) {
	sweeper, err := docker.Sweeper()
	if err != nil {
		panic(err)
	}
	is, err := guard.Child(context.Background(), sweeper)
	if is {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	labtest.Main(m)
}

// newRun is the id of a run that is known to be alive until the test ends.
func newRun(t *testing.T) lab.RunID {
	t.Helper()
	run := lab.NewRunID()
	g, err := guard.Start(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return run
}
