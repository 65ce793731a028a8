package compare

import (
	"os"
	"strings"
	"testing"
)

// docs/choosing.md tells a reader about every trait and every situation.
func TestTheDocumentOnChoosingLeavesNothingOut(t *testing.T) {
	data, err := os.ReadFile("../../docs/choosing.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " |"); ok {
			for name := range strings.SplitSeq(first, ", ") {
				rows[name] = true
			}
		}
	}
	for _, k := range Traits() {
		if !rows[k.Title] {
			t.Errorf("it has no row for the trait %s", k.Title)
		}
	}
	for _, s := range situations() {
		if !rows[s.words] {
			t.Errorf("it has no row for %q", s.words)
		}
	}
}
