package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

// version is set when the program is linked: -ldflags "-X main.version=1.2.3".
var version = "dev"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "print the version",
		Args:  exactly(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.stdout, versionLine())
			return err
		},
	}
}

// versionLine is the version, the commit and the compiler.
func versionLine() string {
	return fmt.Sprintf("portlab %s (%s, %s, %s/%s)", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// commit is what the program was built from, as the go command stamped it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "commit unknown"
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with changes"
		}
	}
	if revision == "" {
		return "commit unknown"
	}
	return "commit " + revision[:min(12, len(revision))] + changed
}

// noteVersion adds this program to what a reader of figures must know.
func noteVersion(e *lab.Environment) {
	if e.Versions == nil {
		e.Versions = map[string]string{}
	}
	e.Versions["portlab"] = version
}
