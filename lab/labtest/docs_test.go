package labtest_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var goBlock = regexp.MustCompile("(?s)```go\n(.*?)```")

// What the document shows in Go is what the examples run.
func TestExamplesOfTheDocumentAreRun(t *testing.T) {
	document, err := os.ReadFile("../../docs/verdicts.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, m := range goBlock.FindAllStringSubmatch(string(document), -1) {
		for line := range strings.SplitSeq(strings.TrimSpace(m[1]), "\n") {
			if lines++; !strings.Contains(string(examples), "\t"+line+"\n") {
				t.Errorf("no example runs %q", line)
			}
		}
	}
	if lines < 4 {
		t.Errorf("only %d lines of Go were found", lines)
	}
}
