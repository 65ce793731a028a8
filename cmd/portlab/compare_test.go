package main

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/report"
)

// interrupted is a runtime whose n-th fleet is never opened, since the user has
// pressed Ctrl-C.
type interrupted struct {
	*fakeRuntime
	left   int
	cancel context.CancelCauseFunc
}

func (r *interrupted) Open(ctx context.Context, spec lab.FleetSpec) (lab.Fleet, error) {
	if r.left--; r.left < 0 {
		r.cancel(interrupt{syscall.SIGINT})
		return nil, context.Cause(ctx)
	}
	return r.fakeRuntime.Open(ctx, spec)
}

func TestAnInterruptedComparisonGivesWhatWasMeasured(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var stdout, stderr bytes.Buffer
	a := &app{
		stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" },
		// Two arms warm up, run in round 1, and one of them in round 2.
		runtimes: []lab.Runtime{&interrupted{fakeRuntime: &fakeRuntime{name: "docker"}, left: 5, cancel: cancel}},
	}
	args := []string{"compare", "client-side", "--vantage", "host", "--requests", "10"}
	if got := a.run(ctx, args); got != statusInterrupted {
		t.Errorf("exit status %d, want %d:\n%s", got, statusInterrupted, stderr.String())
	}
	c, err := report.ReadComparison("portlab-results/latest")
	if err != nil {
		t.Fatal(err)
	}
	if c.Stop.Done != 1 || len(c.Rounds) != 2 || len(c.Rounds[1].Runs) != 1 || !strings.Contains(c.Stop.Reason, "interrupted") {
		t.Errorf("stop %+v, %d rounds", c.Stop, len(c.Rounds))
	}
	for _, want := range []string{"round 2 of 10: ended after ", "interrupted: taking everything back\n", "portlab: interrupted by SIGINT\n"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("the standard error has no %q:\n%s", want, stderr.String())
		}
	}
	if !strings.Contains(stdout.String(), "did not come to its end") {
		t.Errorf("the standard output does not say that it was cut off:\n%s", stdout.String())
	}
}

// A comparison interrupted before its first round has nothing to show.
func TestAComparisonInterruptedAtOnceLeavesNoReport(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var stdout, stderr bytes.Buffer
	a := &app{
		stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" },
		runtimes: []lab.Runtime{&interrupted{fakeRuntime: &fakeRuntime{name: "docker"}, left: 1, cancel: cancel}},
	}
	if got := a.run(ctx, []string{"compare", "client-side", "--vantage", "host", "--requests", "10"}); got != statusInterrupted {
		t.Errorf("exit status %d, want %d", got, statusInterrupted)
	}
	if _, err := report.ReadComparison("portlab-results/latest"); err == nil || stdout.Len() > 0 {
		t.Errorf("there is a report, or output: %q", stdout.String())
	}
}
