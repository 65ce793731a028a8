package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

// anyRuntime is the word of --runtime that leaves the choice to the program.
const anyRuntime = "auto"

// ruledOut is a runtime that cannot carry out a trial, and why.
type ruledOut struct {
	runtime string
	why     error
}

// String is the reason behind the runtime's name.
func (r ruledOut) String() string {
	return r.runtime + ": " + strings.TrimPrefix(r.why.Error(), "the "+r.runtime+" runtime: ")
}

// noRuntimeError says that no runtime can carry out a trial, and why for each.
type noRuntimeError []ruledOut

func (e noRuntimeError) Error() string {
	var b strings.Builder
	b.WriteString("no runtime can do this here")
	for _, r := range e {
		fmt.Fprintf(&b, "\n  %s", r)
	}
	return b.String()
}

// Unwrap gives the reasons.
func (e noRuntimeError) Unwrap() []error {
	var all []error
	for _, r := range e {
		all = append(all, r.why)
	}
	return all
}

// runtimeWords are the words of --runtime.
func (a *app) runtimeWords() []string {
	words := []string{anyRuntime}
	for _, r := range a.runtimes {
		words = append(words, r.Name())
	}
	return words
}

// choose gives a trial the runtime of that name or, for auto, the first that
// can carry it out, and says why those before it cannot.
func (a *app) choose(ctx context.Context, t *lab.Trial, name string) ([]ruledOut, error) {
	var passed noRuntimeError
	for _, r := range a.candidates(name) {
		t.Runtime = r
		if name != anyRuntime {
			return nil, nil // it says itself why it cannot
		}
		err := a.able(ctx, t)
		if err == nil {
			return passed, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		passed = append(passed, ruledOut{r.Name(), err})
	}
	if len(passed) == 1 {
		return nil, passed[0].why
	}
	return nil, passed
}

// candidates are the runtimes of that name; for auto, those that it tries. In a
// world it is the one that the world was made for: the process outside has
// chosen it.
func (a *app) candidates(name string) []lab.Runtime {
	var all []lab.Runtime
	for _, r := range a.runtimes {
		if r.Name() == name || name == anyRuntime && (!a.world.inside || r.Name() == a.world.runtime) {
			all = append(all, r)
		}
	}
	return all
}

// able finds out whether a trial's runtime can carry it out here. What a world
// offers is found out in it.
func (a *app) able(ctx context.Context, t *lab.Trial) error {
	if a.outside(t.Runtime) {
		return t.Runtime.Supports(t.Spec())
	}
	return t.Able(ctx)
}

// tellRuntime says which runtime a trial takes and why not those before it; in
// a world, the process outside has said so.
func (a *app) tellRuntime(t *lab.Trial, passed []ruledOut) {
	if !a.world.inside {
		fmt.Fprintf(a.stderr, "runtime: %s%s\n", t.Runtime.Name(), whyNot(passed))
	}
}

// whyNot is " (docker: no engine answers)", and empty if none was ruled out.
func whyNot(passed []ruledOut) string {
	if len(passed) == 0 {
		return ""
	}
	var all []string
	for _, r := range passed {
		all = append(all, ruledOut{r.runtime, briefly(r.why)}.String())
	}
	return " (" + strings.Join(all, "; ") + ")"
}

// briefly is an error without what to do about it, on one line: it is told by
// the way, where nothing needs to be done.
func briefly(err error) error {
	if no, ok := errors.AsType[*lab.UnsupportedError](err); ok {
		err = &lab.UnsupportedError{What: no.What, Reason: no.Reason}
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}
