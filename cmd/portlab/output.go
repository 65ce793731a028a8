package main

import (
	"encoding/json"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// The words of --format.
const (
	formatText = "text"
	formatJSON = "json"
)

// schemaVersion is that of the objects that list, explain, doctor and clean
// print. It changes when a field changes its meaning or goes away.
const schemaVersion = 1

// formatFlag adds --format to a command.
func formatFlag(c *cobra.Command) *string {
	format := c.Flags().String("format", formatText, "how to print: text or json")
	complete(c, "format", formatText, formatJSON)
	return format
}

// complete has the shell complete a flag's value with these words.
func complete(c *cobra.Command, flag string, words ...string) {
	err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag was not defined: a mistake in this program
	}
}

// printJSON writes an object, indented.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// The words of --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

// colorFlag adds --color to a command.
func colorFlag(c *cobra.Command) *string {
	color := c.Flags().String("color", colorAuto, "when to colour: auto, always or never")
	complete(c, "color", colorAuto, colorAlways, colorNever)
	return color
}

// colored says whether what goes to w is to be coloured. Left to itself, only
// a terminal is, unless NO_COLOR is set (https://no-color.org).
func (a *app) colored(w io.Writer, when string) bool {
	switch when {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	return a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb" && isTerminal(w)
}

// isTerminal says whether w is a terminal (ioctl_tty(2)).
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
