package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/vm"
)

// fakeMachines are those of the images that the variable IMAGES names. What is
// run in one is run in this process, by an app that believes to be in it.
func fakeMachines(getenv func(string) string) machines {
	return machines{
		inside: getenv(vm.EnvImage),
		find: func(name string) (vm.Image, error) {
			for known := range strings.FieldsSeq(getenv("IMAGES")) {
				kind, _, _ := strings.Cut(known, "-")
				if known == name || kind == name {
					return vm.Image{Name: known, Kind: vm.Kind(kind)}, nil
				}
			}
			return vm.Image{}, &lab.UnsupportedError{What: "image " + name, Reason: "there is none", Remedy: "make it: portlab vm build " + name}
		},
		start: func(_ context.Context, c vm.Config) (machine, error) {
			return fakeMachine{c, getenv}, nil
		},
	}
}

type fakeMachine struct {
	vm.Config
	getenv func(string) string
}

func (m fakeMachine) String() string { return m.Image.Name + ", a fake" }

func (m fakeMachine) Close() error { return nil }

// Run carries out portlab's command lines; what else there is says what it is.
func (m fakeMachine) Run(ctx context.Context, c vm.Command) (int, error) {
	fmt.Fprintf(c.Stderr, "in %s with engine %v: %s\n", m.Image.Name, m.Engine, strings.Join(c.Args, " "))
	switch c.Args[0] {
	case "portlab":
	case "cat": // what a run there has written, it wrote here
		text, err := os.ReadFile(c.Args[1])
		_, _ = c.Stdout.Write(text)
		return 0, errors.Join(err, os.Remove(c.Args[1]))
	default:
		return 7, nil
	}
	inner := fakeApp(func(name string) string {
		if name == vm.EnvImage {
			return m.Image.Name
		}
		return m.getenv(name)
	})
	inner.stdin, inner.stdout, inner.stderr = strings.NewReader(""), orNowhere(c.Stdout), orNowhere(c.Stderr)
	return inner.run(ctx, c.Args[1:]), nil
}

// Fetch has nothing to do: what was written was written here.
func (m fakeMachine) Fetch(context.Context, string, string) error { return nil }

func orNowhere(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
