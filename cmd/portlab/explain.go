package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

// explanation is what explain prints: the JSON object is a contract with
// scripts.
type explanation struct {
	SchemaVersion int    `json:"schema_version"`
	Strategy      string `json:"strategy"`
	// Settings are those of the strategy's options; none where it has none.
	Settings map[string]string `json:"settings,omitempty"`
	Summary  string            `json:"summary"`
	Runtime  string            `json:"runtime"`
	Vantage  lab.Vantage       `json:"vantage"`
	lab.Blueprint
	Path  []string        `json:"path"`
	Steps []explainedStep `json:"steps"`
	// Course is what is done while load is offered; absent where that is nothing.
	Course    []lab.TimedCommands `json:"course,omitempty"`
	Caveats   []string            `json:"caveats"`
	Protocols []listedProtocol    `json:"protocols"`
	Sources   []string            `json:"sources"`
}

type explainedStep struct {
	ID    string   `json:"id"`
	Shell []string `json:"shell"`
	Undo  []string `json:"undo"`
}

func (a *app) explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use:               "explain STRATEGY",
		Short:             "show the path of a packet and the commands by hand, with the real addresses",
		Args:              exactly("STRATEGY"),
		ValidArgsFunction: completeStrategy,
	}
	f := a.addFleetFlags(c)
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if err := oneOf("format", *format, formatText, formatJSON); err != nil {
			return err
		}
		t, err := a.trial(args[0], f)
		if err != nil {
			return err
		}
		remote, err := a.reach(c.Context(), &f.viaFlags, nil, t)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, remote.Close()) }()
		passed, err := a.choose(c.Context(), t, f.runtime)
		if err != nil {
			return err
		}
		a.tellRuntime(t, passed)
		return a.explain(c.Context(), t, *format)
	}
	return c
}

// explain prints what a trial would do, and changes nothing.
func (a *app) explain(ctx context.Context, t *lab.Trial, format string) error {
	e, err := lab.Explain(ctx, t)
	if err != nil {
		return err
	}
	if format == formatJSON {
		return printJSON(a.stdout, explained(t, e))
	}
	return writeExplanation(a.stdout, t, e)
}

func explained(t *lab.Trial, e *lab.Explanation) explanation {
	about := t.Strategy.About()
	x := explanation{
		SchemaVersion: schemaVersion, Strategy: t.Strategy.Name(), Settings: lab.SettingsOf(t.Strategy), Summary: about.Summary,
		Runtime: t.Runtime.Name(), Vantage: t.Vantage, Blueprint: e.Blueprint,
		Path: about.Path, Steps: []explainedStep{}, Caveats: t.Caveats(), Sources: about.Sources,
		Protocols: protocols(t.Strategy.Needs()),
	}
	// What can be pasted is whole: the fleet's commands and then the steps'.
	x.Shell, x.Undo, x.Course = e.Commands(), e.Back(), e.Course()
	for _, s := range e.Steps {
		x.Steps = append(x.Steps, explainedStep{ID: s.ID(), Shell: s.Shell(), Undo: s.Undo()})
	}
	return x
}

// writeExplanation writes text of which the commands can be pasted: all that
// is no command is a comment.
func writeExplanation(w io.Writer, t *lab.Trial, e *lab.Explanation) error {
	out := bufio.NewWriter(w)
	about := t.Strategy.About()
	fmt.Fprintf(out, "# %s: %s\n#\n", lab.FullName(t.Strategy), about.Summary)
	fmt.Fprintf(out, "# A client at vantage %s dials %s.\n", t.Vantage, dialled(t, e))
	if t.Place != nil {
		fmt.Fprintf(out, "# It is on another machine, as by hand: %s %s\n", t.Place.Shell(), callFrom(t, e.Front))
	}
	for _, r := range e.Replicas {
		if !r.Address.IsValid() {
			fmt.Fprintf(out, "# Replica %s gets its address when it starts.\n", r.Instance)
			continue
		}
		fmt.Fprintf(out, "# Replica %s listens at %s.\n", r.Instance, r.Address)
	}
	comments(out, "The path of a packet:", about.Path, true)
	commands(out, "The same by hand:", e.Commands())
	for _, c := range e.Course() {
		commands(out, fmt.Sprintf("%s into the load:", c.At), c.Shell)
	}
	commands(out, "And back:", e.Back())
	comments(out, "What to know:", t.Caveats(), false)
	all := protocols(t.Strategy.Needs())
	fmt.Fprintf(out, "\n# It carries %s.\n", carried(all))
	for _, p := range all {
		if !p.Usable {
			fmt.Fprintf(out, "#  - Not %s: %s.\n", p.Name, p.Reason)
		}
	}
	comments(out, "Sources:", about.Sources, false)
	return out.Flush()
}

// dialled is what a client dials, in words.
func dialled(t *lab.Trial, e *lab.Explanation) string {
	if n, ok := t.Strategy.(lab.Named); ok {
		l := n.Lookup(e.Front, t.Vantage)
		return fmt.Sprintf("what it gets for the name %s from the name server at %s", l.Name, l.Server)
	}
	var all []string
	for _, to := range lab.Targets(t.Strategy, e.Front, t.Vantage, e.Replicas) {
		all = append(all, to.String())
	}
	if len(all) > 1 {
		return "one of " + strings.Join(all, ", ")
	}
	return strings.Join(all, "")
}

func comments(w io.Writer, title string, items []string, numbered bool) {
	if len(items) == 0 {
		return
	}
	fmt.Fprintf(w, "\n# %s\n", title)
	for i, item := range items {
		if numbered {
			fmt.Fprintf(w, "#  %d. %s\n", i+1, item)
			continue
		}
		fmt.Fprintf(w, "#  - %s\n", item)
	}
}

func commands(w io.Writer, title string, lines []string) {
	fmt.Fprintf(w, "\n# %s\n", title)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
