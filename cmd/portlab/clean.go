package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
)

// leftovers is what clean prints: the JSON object is a contract with scripts.
type leftovers struct {
	SchemaVersion int       `json:"schema_version"`
	Removed       bool      `json:"removed"` // false under --dry-run
	Runs          []deadRun `json:"runs"`
}

type deadRun struct {
	Run    lab.RunID  `json:"run"`
	Traces []leftover `json:"traces"`
}

type leftover struct {
	Kind lab.TraceKind `json:"kind"`
	Name string        `json:"name"`
}

func (a *app) cleanCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "clean",
		Short: "take away what dead runs left behind",
		Long: `clean finds what runs that are dead left on this machine (containers, networks,
images, chains, rules, links, processes, files, changed sysctls), by the run's
id in its name or label, and takes it away. Runs that live are left alone.`,
		Args: exactly(),
	}
	dry := c.Flags().Bool("dry-run", false, "list what would be taken away, and change nothing")
	run := c.Flags().String("run", "", "only what this run left, such as k3f7a2")
	format := formatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := oneOf("format", *format, formatText, formatJSON); err != nil {
			return err
		}
		only, err := runNamed(*run)
		if err != nil {
			return err
		}
		look := a.sweep
		if *dry {
			look = a.dead
		}
		found, err := look(c.Context(), only)
		if err != nil && len(found) == 0 {
			return err // that nothing was found says nothing
		}
		return errors.Join(a.printLeftovers(byRun(found, !*dry), *format), err)
	}
	return c
}

// dead lists what dead runs left; of one run, if it is named.
func (a *app) dead(ctx context.Context, only lab.RunID) ([]lab.Trace, error) {
	found, err := a.sweeper.Dead(ctx)
	return slices.DeleteFunc(found, func(x lab.Trace) bool { return only != "" && x.Run != only }), err
}

// sweep takes away what dead runs left; of one run, if it is named.
func (a *app) sweep(ctx context.Context, only lab.RunID) ([]lab.Trace, error) {
	if only == "" {
		return a.sweeper.Sweep(ctx)
	}
	if guard.Alive(only) {
		return nil, lab.Usagef("run %s lives: end it first, and it cleans up by itself", only)
	}
	return a.sweeper.SweepRun(ctx, only)
}

func runNamed(id string) (lab.RunID, error) {
	if id == "" {
		return "", nil
	}
	return lab.ParseRunID(id)
}

// byRun sorts traces into their runs, each in the order in which they go.
func byRun(traces []lab.Trace, removed bool) leftovers {
	l := leftovers{SchemaVersion: schemaVersion, Removed: removed, Runs: []deadRun{}}
	at := map[lab.RunID]int{}
	for _, x := range traces {
		i, ok := at[x.Run]
		if !ok {
			i = len(l.Runs)
			at[x.Run], l.Runs = i, append(l.Runs, deadRun{Run: x.Run})
		}
		l.Runs[i].Traces = append(l.Runs[i].Traces, leftover{Kind: x.Kind, Name: x.Name})
	}
	slices.SortFunc(l.Runs, func(a, b deadRun) int { return cmp.Compare(a.Run, b.Run) })
	return l
}

func (a *app) printLeftovers(l leftovers, format string) error {
	if format == formatJSON {
		return printJSON(a.stdout, l)
	}
	if len(l.Runs) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no dead run has left anything behind")
		return err
	}
	did := "would remove"
	if l.Removed {
		did = "removed"
	}
	for _, r := range l.Runs {
		for _, x := range r.Traces {
			if _, err := fmt.Fprintf(a.stdout, "run %s: %s %s %s\n", r.Run, did, x.Kind, x.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
