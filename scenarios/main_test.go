package scenarios_test

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

func watched(ctx context.Context, run lab.RunID) (lab.Journal, func(context.Context) error, error) {
	g, err := guard.Start(ctx, run)
	if err != nil {
		return nil, nil, err
	}
	return g, g.Close, nil
}
