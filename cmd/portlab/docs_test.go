package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commandLine is an example of a document: portlab as a user types it, behind a
// prompt that may name a machine, up to a comment or the end of a quotation.
var commandLine = regexp.MustCompile("(?m)(?:^|`)(?:host|client)?[ \t$]*(?:sudo )?(?:bin/)?portlab ([a-z][^`#&|>\n]*)")

// Every command that a document or a help text shows is one that portlab
// takes: flags, claims, strategies and vantages included. Nothing is changed.
func TestExamplesInDocuments(t *testing.T) {
	texts := documents(t)
	root := fakeApp(os.Getenv).root()
	for _, c := range append(root.Commands(), root) {
		texts["help of "+c.Name()] = c.Example
	}
	seen := 0
	for name, text := range texts {
		for _, m := range commandLine.FindAllStringSubmatch(text, -1) {
			if args := words(m[1]); example(root, args) {
				seen++
				t.Run(name+": "+m[1], func(t *testing.T) { accepted(t, args) })
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d examples were found: the documents have more", seen)
	}
}

func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/strategies/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(name, "../../")] = string(b)
		}
	}
	return texts
}

// placeholder is a word that stands for another, such as STRATEGY.
var placeholder = regexp.MustCompile(`^[A-Z]+$|^\.\.\.$|[\[\]|]`)

// example says whether these words are a whole command, and not the beginning
// of a sentence or a form.
func example(root *cobra.Command, args []string) bool {
	if slices.ContainsFunc(args, placeholder.MatchString) {
		return false
	}
	c, _, err := root.Find(args[:1])
	given := len(args) > 1 && !strings.HasPrefix(args[1], "-")
	return err == nil && c != root && (given || c.Args == nil || c.Args(c, nil) == nil)
}

// words parts a line as a shell does, double quotes included.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}

// accepted carries out what changes nothing; of the rest it reads the flags.
func accepted(t *testing.T, args []string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := fakeApp(os.Getenv)
	a.stdout, a.stderr = &out, &errs
	what := args[0]
	if slices.Contains(args, "--client-via") {
		what = "" // nobody is to be called
	}
	switch what {
	case "run":
		args = append(args, "--dry-run")
	case "explain", "list", "version", "completion":
	default:
		c, rest, err := a.root().Find(args)
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err != nil {
			t.Error(err)
		}
		return
	}
	if status := a.run(t.Context(), args); status != statusMeasured {
		t.Errorf("exit status %d: %s", status, errs.String())
	}
}
