package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// shown is an example of docs/verdicts.md that is typed behind a prompt, and
// what it is said to print: its first lines, or none.
var shown = regexp.MustCompile(`(?m)^    \$ portlab (assert [^\n]*)\n((?:    [^\n]*\n)*)`)

// The examples print what the document says, and what the known cases come to
// is what the document says too.
func TestExamplesOfVerdicts(t *testing.T) {
	b, err := os.ReadFile("../../docs/verdicts.md")
	if err != nil {
		t.Fatal(err)
	}
	all := shown.FindAllStringSubmatch(string(b), -1)
	if len(all) < 4 {
		t.Fatalf("only %d examples were found: the document has more", len(all))
	}
	for _, m := range all {
		var out, errs bytes.Buffer
		a := &app{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		if status := a.run(t.Context(), words(m[1])); status != statusMeasured && status != statusRefuted {
			t.Errorf("portlab %s: exit status %d: %s", m[1], status, errs.String())
		}
		want := strings.ReplaceAll("\n"+m[2], "\n    ", "\n")[1:]
		if !strings.HasPrefix(out.String(), strings.TrimRight(want, "\n")) {
			t.Errorf("portlab %s prints\n%s\nand not\n%s", m[1], out.String(), want)
		}
	}
}
