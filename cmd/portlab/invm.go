package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/vm"
)

// machineFlags have a command carried out in a virtual machine.
type machineFlags struct {
	inVM  bool
	image string
}

func addMachineFlags(c *cobra.Command) *machineFlags {
	f := &machineFlags{}
	c.Flags().BoolVar(&f.inVM, "in-vm", false, "carry it out in a virtual machine, whose kernel may have what this one lacks: see portlab vm")
	c.Flags().StringVar(&f.image, "vm-image", "", "the machine's image for --in-vm, by `NAME` (default the last one built of the kind tiny, or docker where an engine is needed)")
	return f
}

func (f *machineFlags) check(via viaFlags) error {
	switch {
	case f.image != "" && !f.inVM:
		return lab.Usagef("--vm-image is the image of a machine: give --in-vm too")
	case f.inVM && (via.clientVia != "" || via.frontAddress != ""):
		return lab.Usagef("--in-vm has host and clients in a machine that no other one can reach: leave --client-via and --front-address out")
	}
	return nil
}

// wanted says whether this command line is still to be carried out in a
// machine: not by a process that is in one.
func (f *machineFlags) wanted(a *app) bool { return f.inVM && a.machines.inside == "" }

// handIn is a command line that is carried out in a machine.
type handIn struct {
	command *cobra.Command
	args    []string // its arguments, without the flags
	seed    uint64
	flags   *resultFlags
	out     *output
	image   vm.Image // without a name: one for the runtime
	runtime string   // in the machine
}

// runInMachine carries out a run in a machine, or explains it here.
func (a *app) runInMachine(c *cobra.Command, strategy string, t *lab.Trial, out *output, f *runFlags) error {
	ctx := c.Context()
	if f.keep {
		return lab.Usagef("--keep and --in-vm contradict each other: nobody can enter the machine from here; portlab vm run -- sh has a shell in one")
	}
	image, err := a.chooseInside(t, f.runtime, f.machineFlags)
	if err != nil {
		return err
	}
	if _, err := lab.Explain(ctx, t); err != nil {
		return err
	}
	if f.dryRun {
		return a.explain(ctx, t, *f.format)
	}
	return a.handIntoMachine(ctx, handIn{
		command: c, args: []string{strategy}, seed: t.Plan.Seed, flags: f.resultFlags, out: out, image: image, runtime: t.Runtime.Name(),
	})
}

// compareInMachine carries out a comparison in a machine.
func (a *app) compareInMachine(c *cobra.Command, args []string, arms []*arm, out *output, f *compareFlags) error {
	ctx, base := c.Context(), arms[0].trial
	image, err := a.chooseInside(base, f.runtime, f.machineFlags)
	if err != nil {
		return err
	}
	for _, x := range arms {
		x.trial.Runtime = base.Runtime
	}
	// What the machine's kernel has is found out there.
	able := func(_ context.Context, t *lab.Trial) error { return t.Runtime.Supports(t.Spec()) }
	if err := probeArms(ctx, arms, able); err != nil {
		return err
	}
	if _, err := f.config(c, args, arms); err != nil {
		return err
	}
	return a.handIntoMachine(ctx, handIn{
		command: c, args: args, seed: base.Plan.Seed, flags: f.resultFlags, out: out, image: image, runtime: base.Runtime.Name(),
	})
}

// chooseInside gives a trial the runtime that it takes in a machine: for auto,
// the one without an engine if it can carry the trial out, unless an image with
// an engine was asked for. Where no image was, the one returned has no name.
func (a *app) chooseInside(t *lab.Trial, word string, f *machineFlags) (image vm.Image, err error) {
	if f.image != "" {
		if image, err = a.machines.find(f.image); err != nil {
			return image, err
		}
	}
	var passed noRuntimeError
	for _, name := range a.inside(word, image.Kind) {
		for _, t.Runtime = range a.candidates(name) {
			err = t.Runtime.Supports(t.Spec())
		}
		if err == nil {
			return image, nil
		}
		passed = append(passed, ruledOut{name, err})
	}
	if len(passed) > 1 {
		return image, passed
	}
	return image, err
}

// inside are the names of the runtimes to try in a machine of a kind; empty:
// the kind is still to be chosen.
func (a *app) inside(word string, kind vm.Kind) []string {
	var others []string // that need an engine
	for _, r := range a.runtimes {
		if r.Name() != a.world.runtime {
			others = append(others, r.Name())
		}
	}
	switch {
	case word != anyRuntime:
		return []string{word}
	case kind == vm.Tiny:
		return []string{a.world.runtime}
	case kind == vm.Docker:
		return append(others, a.world.runtime)
	}
	return append([]string{a.world.runtime}, others...)
}

// imageFor is the image of a machine for a runtime, where none was named.
func (a *app) imageFor(runtime string) (vm.Image, error) {
	if runtime == a.world.runtime {
		return a.machines.find(string(vm.Tiny))
	}
	return a.machines.find(string(vm.Docker))
}

// handIntoMachine carries out a command line in a machine of its own. What it
// prints there is printed here, its report is fetched, and its exit status is
// that of this process.
func (a *app) handIntoMachine(ctx context.Context, h handIn) (err error) {
	if h.image.Name == "" {
		if h.image, err = a.imageFor(h.runtime); err != nil {
			return err
		}
	}
	m, err := a.startMachine(ctx, vm.Config{Image: h.image}, h.flags.quiet)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Unclean(m.Close())) }()
	status, err := m.Run(ctx, vm.Command{Args: h.words(a), Dir: guestDir, Stdout: a.stdout, Stderr: a.stderr})
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // what was measured is not lost by an interrupt
	err = errors.Join(h.fetchReport(ctx, a, m), h.fetchSummary(ctx, a, m))
	switch {
	case status == statusMeasured:
		return err
	case status == statusRefuted && err != nil:
		return err
	}
	return exitError(status) // what broke on the way may have left no report
}

// Where a command line is carried out in the machine, and where it leaves its
// job summary.
const (
	guestDir     = "/tmp"
	guestSummary = "/tmp/portlab-job-summary.md"
)

// ofThisMachine are the flags that name a place or a terminal of this machine,
// or have been decided on it.
var ofThisMachine = []string{"in-vm", "vm-image", "runtime", "seed", "out", "no-report", "job-summary", "color"}

// words are the command line in the machine. It is the same one, --in-vm
// included: so it is what is written down as the command that repeats it.
func (h handIn) words(a *app) []string {
	words := append([]string{"portlab", h.command.Name()}, h.args...)
	h.command.Flags().Visit(func(f *pflag.Flag) {
		if !slices.Contains(ofThisMachine, f.Name) {
			words = append(words, spelled(f)...)
		}
	})
	words = append(words, "--in-vm", "--vm-image", h.image.Name, "--runtime", h.runtime,
		"--seed", strconv.FormatUint(h.seed, 10), "--out", h.outThere(), "--color", h.colorThere(a))
	if h.flags.jobSummary.path != "" {
		words = append(words, "--job-summary", guestSummary)
	}
	return words
}

// outThere is the report's folder in the machine: by the same name if it has
// one there, so that what is said of it is true here.
func (h handIn) outThere() string {
	switch {
	case h.out == nil:
		return noOutput
	case filepath.IsLocal(h.out.dir), filepath.IsAbs(h.out.dir):
		return h.out.dir
	}
	return filepath.Join(guestDir, "portlab-report")
}

func (h handIn) colorThere(a *app) string {
	if a.colored(a.stdout, *h.flags.color) {
		return colorAlways
	}
	return colorNever
}

// fetchReport copies the report from the machine to where it is to be.
func (h handIn) fetchReport(ctx context.Context, a *app, m machine) error {
	if h.out == nil {
		return nil
	}
	from := h.outThere()
	if !filepath.IsAbs(from) {
		from = filepath.Join(guestDir, from)
	}
	return h.out.deliver(a.getenv, func() error { return m.Fetch(ctx, from, h.out.dir) })
}

// fetchSummary appends the job summary that was written in the machine.
func (h handIn) fetchSummary(ctx context.Context, a *app, m machine) error {
	if h.flags.jobSummary.path == "" {
		return nil
	}
	var text, said bytes.Buffer
	status, err := m.Run(ctx, vm.Command{Args: []string{"cat", guestSummary}, Stdout: &text, Stderr: &said})
	if err == nil && status != 0 {
		err = errors.New(strings.TrimSpace(said.String()))
	}
	if err != nil {
		return fmt.Errorf("fetch the job summary: %w", err)
	}
	return h.flags.jobSummary.add(a.getenv, func(w io.Writer) error {
		_, err := w.Write(text.Bytes())
		return err
	})
}
