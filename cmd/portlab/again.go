package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// notRepeated are the flags that change only where and how a result is shown
// and what comes after it, and those of which again knows what they came to.
var notRepeated = []string{"out", "no-report", "job-summary", "format", "color", "quiet", "dry-run", "keep", "runtime", "seed"}

// again is the command line that repeats a run or a load: every flag that
// changes what is measured, and at its end the flags that were left open, such
// as the seed that was drawn.
func again(c *cobra.Command, args []string, drawn ...string) []string {
	words := append([]string{"portlab", c.Name()}, args...)
	c.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(notRepeated, f.Name) {
			return
		}
		words = append(words, spelled(f)...)
	})
	return append(words, drawn...)
}

// spelled is a flag as it would be typed.
func spelled(f *pflag.Flag) []string {
	switch list, ok := f.Value.(pflag.SliceValue); {
	case ok && f.Value.Type() == "stringArray":
		var words []string
		for _, v := range list.GetSlice() {
			words = append(words, "--"+f.Name, v)
		}
		return words
	case ok && f.Value.Type() == "float64Slice":
		return []string{"--" + f.Name, strings.Join(trimmed(list.GetSlice()), ",")}
	case ok:
		return []string{"--" + f.Name, strings.Join(list.GetSlice(), ",")}
	case f.Value.Type() == "bool":
		return []string{"--" + f.Name + "=" + f.Value.String()}
	}
	return []string{"--" + f.Name, f.Value.String()}
}

// trimmed takes away the zeros that pflag prints behind a number's point.
func trimmed(numbers []string) []string {
	for i, n := range numbers {
		if strings.Contains(n, ".") {
			numbers[i] = strings.TrimRight(strings.TrimRight(n, "0"), ".")
		}
	}
	return numbers
}
