package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
)

// TestMain makes this program portlab on the fake runtime, for scripts, and
// the guard of its runs.
func TestMain(m *testing.M) {
	if is, status := asGuard(context.Background(), guard.Sweeper{}, os.Stderr); is {
		os.Exit(status)
	}
	testscript.Main(m, map[string]func(){"portlab": func() {
		ctx, stop := untilSignal(context.Background(), endingSignals(os.Args[1:]), endAtOnce)
		defer stop()
		os.Exit(fakeApp(os.Getenv).run(ctx, os.Args[1:]))
	}})
}

// fakeApp is the program with nothing of this machine in it.
func fakeApp(getenv func(string) string) *app {
	return &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: getenv,
		runtimes: []lab.Runtime{fakeFrom(getenv)},
		sweeper:  guard.Sweeper{Find: []lab.Finder{fakeTraces(getenv)}},
		machine: func(context.Context) []finding {
			return []finding{{Name: "nginx", State: missing, Detail: "there is no such program", Remedy: "install it"}}
		},
	}
}

// fakeTraces finds a file named after the dead run that the variable DEAD
// names, while there is one in the folder.
func fakeTraces(getenv func(string) string) lab.Finder {
	return func(context.Context) ([]lab.Trace, error) {
		var all []lab.Trace
		name := getenv("DEAD")
		if _, err := os.Stat(name); name != "" && err == nil {
			remove := func(context.Context) error { return os.Remove(name) }
			all = append(all, lab.Trace{Run: lab.RunID(name), Kind: lab.FileTrace, Name: name, Remove: remove})
		}
		return all, nil
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits runs a program and demands an exit status: exits 2 portlab run.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s: exit status %d, want %d", fmt.Sprint(args[1:]), got, want)
	}
}
