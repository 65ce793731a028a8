package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

// state is what doctor found of one thing.
type state string

const (
	present state = "ok"
	missing state = "missing"
	unknown state = "unknown"
)

// finding is one thing that doctor looked for: the JSON object is a contract
// with scripts.
type finding struct {
	Name     string `json:"name"`
	State    state  `json:"state"`
	Detail   string `json:"detail"`   // what is there, or why it is not
	Remedy   string `json:"remedy"`   // what to do; empty if nothing is to be done
	Required bool   `json:"required"` // for the main job: portlab run dnat
	Runtime  string `json:"runtime"`  // for which it is looked for; empty: for all
}

// diagnosis is what doctor prints.
type diagnosis struct {
	SchemaVersion int       `json:"schema_version"`
	CanRun        bool      `json:"can_run"` // the main job, portlab run dnat, in any runtime
	Runtime       string    `json:"runtime"` // that the main job takes; empty if it cannot run
	Reason        string    `json:"reason"`  // why not those before it, or why not any; empty if it takes the first
	Findings      []finding `json:"findings"`
}

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "say what is here, what is missing, and what to do about it",
		Long: `doctor looks for what runs need, and changes nothing. The exit status is 0 if
portlab run dnat can run here, in whichever runtime, else 3.`,
		Args: exactly(),
	}
	format, color := formatFlag(c), colorFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := oneOf("format", *format, formatText, formatJSON); err != nil {
			return err
		}
		if err := oneOf("color", *color, colorAuto, colorAlways, colorNever); err != nil {
			return err
		}
		d := a.diagnose(c.Context())
		if err := a.printDiagnosis(d, *format, *color); err != nil || d.CanRun {
			return err
		}
		return &lab.UnsupportedError{What: "portlab run dnat", Reason: "something that it needs is missing in every runtime", Remedy: "see above"}
	}
	return c
}

func (a *app) diagnose(ctx context.Context) diagnosis {
	d := diagnosis{SchemaVersion: schemaVersion}
	surveys := a.surveyAll(ctx)
	for _, s := range surveys {
		d.Findings = append(d.Findings, s.Findings...)
	}
	d.Findings = append(d.Findings, a.inspect.machine(ctx)...)
	d.Findings = append(d.Findings, a.leftBehind(ctx))
	name, passed, err := a.mainJob(ctx, surveys)
	d.CanRun, d.Runtime, d.Reason = err == nil, name, strings.Trim(whyNot(passed), " ()")
	if err != nil {
		d.Reason = err.Error()
	}
	return d
}

// leftBehind says whether dead runs left something.
func (a *app) leftBehind(ctx context.Context) finding {
	f := finding{Name: "clean host", State: present, Detail: "dead runs have left nothing"}
	traces, err := a.sweeper.Dead(ctx)
	if err != nil {
		f = f.not(err)
		f.State = unknown
		return f
	}
	if n := len(byRun(traces, false).Runs); n > 0 {
		f.State, f.Detail = missing, fmt.Sprintf("dead runs: %d, things that they left: %d", n, len(traces))
		f.Remedy = "portlab clean takes them away, and so does the next run"
	}
	return f
}

func (a *app) printDiagnosis(d diagnosis, format, color string) error {
	if format == formatJSON {
		return printJSON(a.stdout, d)
	}
	return writeDiagnosis(a.stdout, d, a.colored(a.stdout, color))
}

func writeDiagnosis(w io.Writer, d diagnosis, color bool) error {
	shades := map[state]string{present: green, missing: red, unknown: yellow}
	out := bufio.NewWriter(w)
	for _, f := range d.Findings {
		name := f.Name
		if f.Runtime != "" && !strings.HasPrefix(name, "runtime ") {
			name = "  " + name // below its runtime
		}
		fmt.Fprintf(out, "%s  %-26s %s\n", tinted(color, shades[f.State], fmt.Sprintf("%-7s", f.State)), name, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(out, "%-9s%-26s -> %s\n", "", "", f.Remedy)
		}
	}
	switch {
	case d.CanRun && d.Reason != "":
		fmt.Fprintf(out, "\nportlab run dnat can run here: it takes the runtime %s (%s).\n", d.Runtime, d.Reason)
	case d.CanRun:
		fmt.Fprintf(out, "\nportlab run dnat can run here: it takes the runtime %s.\n", d.Runtime)
	}
	return out.Flush()
}
