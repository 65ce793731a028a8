package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/docker"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/lab/netns"
)

// app is a command line's surroundings: where it reads and writes, and the
// parts of the project that its commands put together.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	runtimes []lab.Runtime // in the order in which auto tries them
	world    world
	machines machines
	sweeper  guard.Sweeper // of what dead runs left
	inspect  inspection
	doors    doors
	// idle is how busy the machine is between the runs of a comparison; nil: it
	// is not asked.
	idle func(context.Context) (busy, average float64, err error)

	args []string // the command line
	held bool     // a run was kept, until a signal ended it
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	embedded := netns.New(netns.Options{})
	return &app{
		stdin: stdin, stdout: stdout, stderr: stderr, getenv: os.Getenv,
		runtimes: []lab.Runtime{docker.New(docker.Options{}), embedded},
		world:    thisWorld(embedded.Name()),
		machines: theseMachines(),
		sweeper:  newSweeper(),
		inspect:  inspection{machine: thisMachine, host: thisHost},
		doors:    theseDoors,
		idle:     idle,
	}
}

// run carries out one command line and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	a.args = args
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if a.held { // what ended the hold has interrupted nothing
		ctx = context.WithoutCancel(ctx)
	}
	tell(ctx, a.stderr, err)
	return status(ctx, err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "portlab COMMAND",
		Short: "put replicas of a server behind one port, and measure what that does",
		Long: `portlab puts N replicas of a server behind one port by many strategies, drives
load through it, tests the distribution and the latency, and reports.

Exit status: 0 measured; 1 a claim asked for with --claim or --assert was
refuted; 2 bad usage; 3 cannot run here; 4 broken on the way; 130 interrupted.`,
		Example: `  portlab run dnat --replicas 2 --requests 300
  portlab load http://127.0.0.1:8080/
  portlab explain dnat
  portlab doctor`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          noCommand,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagProblem)
	root.AddCommand(
		a.runCommand(), a.compareCommand(), a.calibrateCommand(), a.loadCommand(), a.assertCommand(), a.enterCommand(), a.listCommand(), a.explainCommand(), a.doctorCommand(), a.cleanCommand(),
		a.reportCommand(), a.serveCommand(), a.vmCommand(), a.versionCommand(), a.completionCommand(),
		a.pauseCommand(), a.proxyCommand(), a.tcpProxyCommand(), a.namesCommand(), a.generateCommand(), a.bpfCommand(), a.objectsCommand(), a.probeCommand(),
	)
	root.SetHelpCommand(a.helpCommand())
	return root
}
