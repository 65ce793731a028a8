package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portlab/portlab/lab"
)

// flagProblem turns what pflag says of the command line into a
// [lab.UsageError] that says what to write instead.
func flagProblem(c *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		invalid *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return lab.Usagef("unknown flag -%s: see %s --help", name, c.CommandPath())
		}
		return lab.Usagef("unknown flag --%s%s: see %s --help", name, orNearest("--", name, flagNames(c)), c.CommandPath())
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return lab.Usagef("--%s wants %s, not %q", f.Name, wanted(f), invalid.GetValue())
	case errors.As(err, &missing):
		f := missing.GetFlag()
		return lab.Usagef("--%s wants %s, and there is nothing after it", f.Name, wanted(f))
	}
	return lab.Usagef("%v: see %s --help", err, c.CommandPath())
}

// wanted says in words what a flag takes.
func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int":
		return "a whole number"
	case "uint16":
		return "a whole number from 0 to 65535"
	case "uint64":
		return "a whole number from 0 up"
	case "float64":
		return "a number"
	case "duration":
		return "a time with its unit, such as 500ms or 2s"
	case "float64Slice":
		return "numbers joined by commas, such as 3,1"
	case "intSlice":
		return "whole numbers joined by commas, such as 6,8"
	case "bool":
		return "true or false"
	}
	return "a word"
}

func flagNames(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// exactly refuses any other number of arguments than these, and says what is
// missing or too much.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return lab.Usagef("%s wants a %s: %s", c.CommandPath(), names[len(args)], c.UseLine())
		case len(args) > len(names):
			return lab.Usagef("%s does not know what to do with %q: %s", c.CommandPath(), args[len(names)], c.UseLine())
		}
		return nil
	}
}

// atLeastOne refuses to go without any argument of that name.
func atLeastOne(name string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return lab.Usagef("%s wants a %s: %s", c.CommandPath(), name, c.UseLine())
		}
		return nil
	}
}

// oneOf refuses a value of a flag that is none of these words.
func oneOf(flag, value string, words ...string) error {
	if slices.Contains(words, value) {
		return nil
	}
	return lab.Usagef("--%s wants %s, not %q", flag, alternatives(words), value)
}

// alternatives is "a, b or c".
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// orNearest is ", did you mean ...?" for a word that was probably mistyped,
// and empty where no word is near.
func orNearest(prefix, word string, words []string) string {
	near, found := lab.Nearest(word, words)
	if !found {
		return ""
	}
	return fmt.Sprintf(", did you mean %s%s?", prefix, near)
}
