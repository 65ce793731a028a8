package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// doors are how a command comes into the places of runs that are kept.
type doors struct {
	standings func() ([]kernel.Standing, error)
	apart     func(kernel.Standing) ([]string, error)
	become    func(path string, words, env []string) error // execve(2)
}

// theseDoors are those of this machine.
var theseDoors = doors{standings: kernel.Standings, apart: kernel.Standing.Apart, become: unix.Exec}

func (a *app) enterCommand() *cobra.Command {
	c := &cobra.Command{
		Use:                   "enter PLACE [--run ID] [-- COMMAND...]",
		DisableFlagsInUseLine: true,
		Short:                 "open a shell, or run a command, inside a run that is kept",
		Long: `enter opens a shell inside a run that portlab run --keep holds up: at its external
client, on its host, or where one of its replicas is. With a command after --, it
runs that instead. PLACE is client, host or a replica's instance name; without
one, the places are listed.`,
		Example: `  portlab enter client
  portlab enter host -- iptables-save -t nat
  portlab enter foo -- ss -tn`,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: a.completePlace,
	}
	run := c.Flags().String("run", "", "the run to enter, such as k3f7a2, where several are kept")
	c.RunE = func(c *cobra.Command, args []string) error {
		place, command, err := a.wantedPlace(c, args)
		if err != nil {
			return err
		}
		s, err := a.findPlace(place, *run)
		if err != nil {
			return err
		}
		return a.enter(s, command)
	}
	return c
}

// wantedPlace parts the arguments into the place and the command.
func (a *app) wantedPlace(c *cobra.Command, args []string) (place string, command []string, err error) {
	if dash := c.ArgsLenAtDash(); dash >= 0 {
		args, command = args[:dash], args[dash:]
	}
	switch len(args) {
	case 1:
		return args[0], command, nil
	case 0:
		all, err := a.doors.standings()
		if err != nil {
			return "", nil, err
		}
		return "", nil, lab.Usagef("portlab enter wants a PLACE: %s\n%s", c.UseLine(), listPlaces(all))
	}
	return "", nil, lab.Usagef("put -- before the command: portlab enter %s -- %s", args[0], strings.Join(args[1:], " "))
}

// listPlaces says what can be entered, a line for each run.
func listPlaces(all []kernel.Standing) string {
	if len(all) == 0 {
		return "there is none to enter: no run of this user is kept"
	}
	var lines []string
	for _, run := range runsOf(all) {
		lines = append(lines, fmt.Sprintf("run %s has %s", run, strings.Join(placesOf(ofRun(all, lab.RunID(run))), ", ")))
	}
	return strings.Join(lines, "\n")
}

func runsOf(all []kernel.Standing) []string {
	var runs []string
	for _, s := range all {
		runs = append(runs, string(s.Run))
	}
	return slices.Compact(runs) // they are sorted
}

func placesOf(all []kernel.Standing) []string {
	var places []string
	for _, s := range all {
		places = append(places, s.Place)
	}
	return places
}

// findPlace is the process that stands at a place: of the run of that name, or
// of the only one.
func (a *app) findPlace(place, run string) (kernel.Standing, error) {
	if _, err := runNamed(run); err != nil {
		return kernel.Standing{}, err
	}
	all, err := a.doors.standings()
	if err != nil {
		return kernel.Standing{}, err
	}
	runs := runsOf(all)
	switch {
	case len(runs) == 0:
		return kernel.Standing{}, &lab.UnsupportedError{
			What: "portlab enter " + place, Reason: "no run of this user is kept",
			Remedy: "keep one in another terminal, with portlab run dnat --keep",
		}
	case run == "" && len(runs) > 1:
		return kernel.Standing{}, lab.Usagef("several runs are kept: name one of %s with --run", strings.Join(runs, ", "))
	case run == "":
		run = runs[0]
	case !slices.Contains(runs, run):
		return kernel.Standing{}, lab.Usagef("run %s is not kept, but %s: name it with --run", run, strings.Join(runs, ", "))
	}
	its := ofRun(all, lab.RunID(run))
	places := placesOf(its)
	if i := slices.Index(places, place); i >= 0 {
		return its[i], nil
	}
	return kernel.Standing{}, lab.Usagef("run %s has no place %q%s: it has %s", run, place, orNearest("", place, places), strings.Join(places, ", "))
}

// enter becomes a command, or a shell, in the namespaces of a process.
func (a *app) enter(s kernel.Standing, command []string) error {
	apart, err := a.doors.apart(s)
	if err != nil {
		return err
	}
	env := os.Environ()
	if len(command) == 0 {
		command = []string{or(a.getenv("SHELL"), "sh")}
		env = append(env, prompt(s)...)
		fmt.Fprintf(a.stderr, "at %s of run %s: exit leaves it\n", s.Place, s.Run)
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working folder: %w", err)
	}
	words := inside(s.PID, apart, dir, command)
	find := exec.LookPath
	if len(apart) > 0 {
		find = lab.FindProgram // nsenter; the command itself is found inside
	}
	path, err := find(words[0])
	if errors.Is(err, exec.ErrNotFound) {
		return lab.Usagef("there is no program %s", words[0])
	}
	if err != nil {
		return err
	}
	if err := a.doors.become(path, words, env); err != nil {
		return fmt.Errorf("become %s: %w", path, err)
	}
	return nil
}

// prompt has a shell's prompt say where it is. Bash takes PS1 from its start
// file: there it is put before that, by PROMPT_COMMAND.
func prompt(s kernel.Standing) []string {
	at := fmt.Sprintf("[%s %s] ", s.Place, s.Run)
	return []string{
		"PS1=" + at + "$ ",
		`PROMPT_COMMAND=case $PS1 in "` + at + `"*) ;; *) PS1="` + at + `$PS1" ;; esac`,
	}
}

// inside are the words of a command that runs in the namespaces in which a
// process is apart (nsenter(1)).
func inside(pid int, apart []string, dir string, command []string) []string {
	if len(apart) == 0 {
		return command
	}
	flags := map[string][]string{
		"user": {"--user", "--preserve-credentials"}, "mnt": {"--mount"}, "pid": {"--pid"}, "net": {"--net"},
	}
	words := []string{"nsenter", "--target", strconv.Itoa(pid)}
	for _, kind := range apart {
		words = append(words, flags[kind]...)
	}
	words = append(words, "--")
	if slices.Contains(apart, "mnt") {
		// Who enters another's mounts is at their root.
		words = append(words, "sh", "-c", `cd -- "$0" 2>/dev/null; exec "$@"`, dir)
	}
	return append(words, command...)
}

// completePlace completes the place to enter.
func (a *app) completePlace(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // of the command
	}
	all, err := a.doors.standings()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	if run, err := c.Flags().GetString("run"); err == nil && run != "" {
		all = ofRun(all, lab.RunID(run))
	}
	places := placesOf(all)
	slices.Sort(places)
	return slices.Compact(places), cobra.ShellCompDirectiveNoFileComp
}
