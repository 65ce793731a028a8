package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// TestMain makes this program portlab on the fake runtimes, for scripts, and
// what its runs start: their client, their guard, and the holders of places.
func TestMain(m *testing.M) {
	if is, status := asClient(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); is {
		os.Exit(status)
	}
	if is, status := asGuard(context.Background(), guard.Sweeper{}, os.Stderr); is {
		os.Exit(status)
	}
	portlab := func() {
		ctx, stop := untilSignal(context.Background(), endingSignals(os.Args[1:]), endAtOnce)
		defer stop()
		os.Exit(fakeApp(os.Getenv).run(ctx, os.Args[1:]))
	}
	if slices.Equal(os.Args[1:], []string{"pause"}) {
		portlab()
	}
	testscript.Main(labtest.InTurn{M: m}, map[string]func(){"portlab": portlab})
}

// fakeApp is the program with nothing of this machine in it.
func fakeApp(getenv func(string) string) *app {
	return &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: getenv,
		runtimes: fakeRuntimes(getenv),
		world:    fakeWorld(getenv),
		machines: fakeMachines(getenv),
		sweeper:  guard.Sweeper{Find: []lab.Finder{fakeTraces(getenv)}},
		inspect: inspection{
			machine: func(context.Context) []finding {
				return []finding{{Name: "nginx", State: missing, Detail: "there is no such program", Remedy: "install it"}}
			},
			host: func(_ lab.Host, inWorld bool) []finding {
				return []finding{{Name: "packet filter", State: present, Detail: fmt.Sprintf("in a world: %v", inWorld)}}
			},
		},
		doors: fakeDoors(getenv),
	}
}

// fakeDoors are the places that the variable PLACES names, such as
// k3f9a2/client, in the namespaces that APART names. Who enters one says what it
// would have become.
func fakeDoors(getenv func(string) string) doors {
	return doors{
		standings: func() ([]kernel.Standing, error) {
			var all []kernel.Standing
			for i, word := range strings.Fields(getenv("PLACES")) {
				run, place, _ := strings.Cut(word, "/")
				all = append(all, kernel.Standing{Run: lab.RunID(run), Place: place, PID: 100 + i})
			}
			return all, nil
		},
		apart: func(kernel.Standing) ([]string, error) { return strings.Fields(getenv("APART")), nil },
		become: func(path string, words, env []string) error {
			fmt.Println(filepath.Base(path), "becomes", strings.Join(words, " "))
			for _, v := range env {
				if strings.HasPrefix(v, "PS1=") {
					fmt.Println(v)
				}
			}
			return nil
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
