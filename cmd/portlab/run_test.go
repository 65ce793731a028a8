package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
)

func TestAnInterruptedRunSaysSoAndLeavesNoReport(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var stdout, stderr bytes.Buffer
	a := &app{
		stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" },
		runtimes: []lab.Runtime{&fakeRuntime{name: "docker", opening: func() { cancel(interrupt{syscall.SIGINT}) }}},
		sweeper:  guard.Sweeper{},
	}
	if got := a.run(ctx, []string{"run", "client-side", "--vantage", "host"}); got != statusInterrupted {
		t.Errorf("exit status %d, want %d", got, statusInterrupted)
	}
	if stdout.Len() > 0 {
		t.Errorf("the standard output has %q", stdout.String())
	}
	for _, want := range []string{"starting replicas: ended after ", "portlab: interrupted by SIGINT\n"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the standard error has no %q:\n%s", want, stderr.String())
		}
	}
	if _, err := os.Stat(resultsDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a folder of results (%v)", err)
	}
}

// closed is a pipe that nobody reads.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestAClosedPipeCostsNoReport(t *testing.T) {
	t.Chdir(t.TempDir())
	a := &app{
		stdout: closed{}, stderr: io.Discard, getenv: func(string) string { return "" },
		runtimes: []lab.Runtime{&fakeRuntime{name: "docker"}},
	}
	args := []string{"run", "client-side", "--vantage", "host", "--requests", "10"}
	if got := a.run(t.Context(), args); got != statusBroken {
		t.Errorf("exit status %d, want %d", got, statusBroken)
	}
	if _, err := os.Stat("portlab-results/latest/result.json"); err != nil {
		t.Errorf("there is no report: %v", err)
	}
}

func TestAProgramOfTheClientIsMissedBeforeAnythingIsTouched(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var stderr bytes.Buffer
	a := &app{
		stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" },
		runtimes: []lab.Runtime{&fakeRuntime{name: "docker", opening: func() { t.Error("the fleet was opened") }}},
	}
	args := []string{"run", "client-side", "--vantage", "host", "--out", "none", "--client", "curl"}
	if got := a.run(t.Context(), args); got != statusCannotRun {
		t.Errorf("exit status %d, want %d", got, statusCannotRun)
	}
	if !strings.HasPrefix(stderr.String(), "portlab: --client curl: there is no curl") {
		t.Errorf("it says %q", stderr.String())
	}
}
