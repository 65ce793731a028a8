package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/portlab/portlab/lab"
)

// jobSummary is the file that the page of a CI's job is made of, which a result
// is appended to. Nothing is written because of an environment variable alone: a
// step that calls portlab ten times may not want ten summaries.
type jobSummary struct {
	path string // empty: there is none
	flag *pflag.Flag
}

// jobSummaryFlag adds --job-summary to a command.
func jobSummaryFlag(c *cobra.Command) *jobSummary {
	const name = "job-summary"
	j := &jobSummary{}
	c.Flags().StringVar(&j.path, name, "", "append the result in short, as Markdown, to `FILE`, such as \"$GITHUB_STEP_SUMMARY\"")
	j.flag = c.Flags().Lookup(name)
	return j
}

// check refuses, before anything is done, a file that cannot be written. It
// returns a [lab.UsageError].
func (j *jobSummary) check() error {
	if j.path == "" {
		if j.flag.Changed {
			return lab.Usagef("--job-summary wants a file, and its name is empty: is the variable set?")
		}
		return nil
	}
	if info, err := os.Stat(j.path); err == nil && info.IsDir() {
		return lab.Usagef("--job-summary wants a file, and %s is a folder", j.path)
	}
	if info, err := os.Stat(filepath.Dir(j.path)); err != nil || !info.IsDir() {
		return lab.Usagef("cannot write a job summary to %s: there is no folder %s", j.path, filepath.Dir(j.path))
	}
	return nil
}

// add appends what write writes to the file, which it makes if need be.
func (j *jobSummary) add(getenv func(string) string, write func(io.Writer) error) error {
	if j.path == "" {
		return nil
	}
	_, before := os.Stat(j.path)
	f, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("write the job summary: %w: name another file with --job-summary", err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fmt.Errorf("write the job summary to %s: %w", j.path, err)
	}
	if before == nil {
		return nil // it was there, so it is somebody's already
	}
	return giveBack(getenv, j.path, "")
}
