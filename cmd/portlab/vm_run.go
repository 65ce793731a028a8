package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/vm"
)

// machine is a virtual machine that runs.
type machine interface {
	Run(ctx context.Context, c vm.Command) (status int, err error)
	Fetch(ctx context.Context, from, to string) error
	Close() error
	fmt.Stringer
}

// machines are the virtual machines that a command can be carried out in.
type machines struct {
	inside string // the image of the one that this process runs in; empty: in none
	find   func(name string) (vm.Image, error)
	start  func(context.Context, vm.Config) (machine, error)
}

// theseMachines are those that can be made here.
func theseMachines() machines {
	inside, _ := vm.InGuest()
	return machines{
		inside: inside,
		find: func(name string) (vm.Image, error) {
			dir, err := vm.CacheDir()
			if err != nil {
				return vm.Image{}, err
			}
			return vm.Find(dir, name)
		},
		start: func(ctx context.Context, c vm.Config) (machine, error) {
			m, err := vm.Start(ctx, c)
			if err != nil {
				return nil, err // and no machine, rather than one that is nil
			}
			return m, nil
		},
	}
}

// vmRunFlags are those of vm run.
type vmRunFlags struct {
	image  string
	cpus   int
	memory int
	put    []string
	accel  string
	quiet  bool
}

func (a *app) vmRunCommand() *cobra.Command {
	c := &cobra.Command{
		Use:                   "run [--image NAME] [--cpus N] [--memory MIB] [--put HOST:GUEST] -- COMMAND [ARGUMENT...]",
		DisableFlagsInUseLine: true,
		Short:                 "run a command in a virtual machine that is then thrown away",
		Long: `vm run starts a machine from an image, runs a command in it as root, and throws
it away with all that the command did there. The command's output, input and exit
status are those of vm run. portlab itself is on the machine's PATH. The machine
has no network to this one.`,
		Example: `  portlab vm run -- uname -r
  portlab vm run -- portlab doctor
  portlab vm run --image docker --put ./test:/root/test -- docker info`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return lab.Usagef("portlab vm run wants a COMMAND: %s", c.UseLine())
			}
			return nil
		},
	}
	f := &vmRunFlags{}
	c.Flags().SetInterspersed(false) // what stands behind the command belongs to it
	c.Flags().StringVar(&f.image, "image", string(vm.Tiny), "the `NAME` of an image, or a kind of image: the one that was built last; portlab vm list shows them")
	c.Flags().IntVar(&f.cpus, "cpus", 0, "how many processors the machine has; 0: two, or one if this machine has one")
	c.Flags().IntVar(&f.memory, "memory", 0, "the machine's memory in `MIB`; 0: 1024, and 2048 for a docker image")
	c.Flags().StringArrayVar(&f.put, "put", nil, "a file or folder of this machine to have in the other one, `HOST:GUEST`, such as ./test:/root/test; may be repeated")
	c.Flags().StringVar(&f.accel, "accel", vm.AccelAuto, "how its processor is made: auto, kvm or tcg (emulated); auto takes kvm where it works")
	c.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing on the way")
	complete(c, "accel", vm.AccelAuto, vm.AccelKVM, vm.AccelTCG)
	c.RunE = func(c *cobra.Command, args []string) error { return a.doVMRun(c.Context(), args, f) }
	return c
}

func (a *app) doVMRun(ctx context.Context, command []string, f *vmRunFlags) (err error) {
	files, err := f.files()
	if err != nil {
		return err
	}
	image, err := a.machines.find(f.image)
	if err != nil {
		return err
	}
	m, err := a.startMachine(ctx, vm.Config{Image: image, CPUs: f.cpus, MemoryMiB: f.memory, Files: files, Accel: f.accel}, f.quiet)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lab.Unclean(m.Close())) }()
	status, err := m.Run(ctx, vm.Command{Args: command, Stdin: a.stdin, Stdout: a.stdout, Stderr: a.stderr})
	if err != nil || status == statusMeasured {
		return err
	}
	return exitError(status)
}

// files are what is put into the machine: path there to path here.
func (f *vmRunFlags) files() (map[string]string, error) {
	files := map[string]string{}
	for _, put := range f.put {
		i := strings.LastIndex(put, ":")
		if i < 1 || i == len(put)-1 {
			return nil, lab.Usagef("--put wants HOST:GUEST, such as ./test:/root/test, not %q", put)
		}
		from, at := put[:i], put[i+1:]
		if files[at] != "" {
			return nil, lab.Usagef("--put has two things for %s", at)
		}
		files[at] = from
	}
	return files, nil
}

// startMachine starts a machine and says which.
func (a *app) startMachine(ctx context.Context, c vm.Config, quiet bool) (machine, error) {
	c.Engine = c.Image.Kind == vm.Docker
	begun := time.Now()
	if !quiet {
		fmt.Fprintf(a.stderr, "starting the machine %s\n", c.Image.Name)
	}
	m, err := a.machines.start(ctx, c)
	if err == nil && !quiet {
		fmt.Fprintf(a.stderr, "starting the machine: done in %s: %s\n", short(time.Since(begun)), m)
	}
	return m, err
}
