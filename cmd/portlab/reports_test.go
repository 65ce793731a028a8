package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// anExample is a line of an indented example that calls portlab, up to where it goes on
// in the shell.
var anExample = regexp.MustCompile(`(?m)^    (portlab [^|>#\n]*)`)

// The examples of docs/reports.md are carried out, one after the other, on the
// fake runtime, which has no packet filter and so one strategy alone.
func TestExamplesOfReports(t *testing.T) {
	text, err := os.ReadFile("../../docs/reports.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	n := 0
	for _, m := range anExample.FindAllStringSubmatch(string(text), -1) {
		n++
		script.WriteString("exits 0 " + strings.ReplaceAll(m[1], "run dnat", "run client-side --vantage host") + "\n")
	}
	if n < 5 {
		t.Fatalf("only %d examples were found", n)
	}
	// Each form that the document names is one that report takes.
	for _, format := range resultFormats {
		if !strings.Contains(string(text), "\n| `"+format+"` |") {
			t.Errorf("docs/reports.md says nothing of --format %s", format)
		}
		script.WriteString("exits 0 portlab report monday --format " + format + "\nstdout .\n")
	}
	script.WriteString("exists samples.csv both/report.html\n")
	file := filepath.Join(t.TempDir(), "reports.txtar")
	if err := os.WriteFile(file, []byte(script.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
