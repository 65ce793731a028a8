package report

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab/compare"
)

const reportsDoc = "../docs/reports.md"

// codeIn finds what stands in the first column of a table, as code.
var codeIn = regexp.MustCompile("(?m)^\\| ((?:`[^`]+`(?:, )?)+)[^|]*\\|")

// documented are the words of the tables in a section of docs/reports.md.
func documented(t *testing.T, section string) []string {
	t.Helper()
	text, err := os.ReadFile(reportsDoc)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "\n## "+section+"\n")
	if !found {
		t.Fatalf("%s has no section %s", reportsDoc, section)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	var all []string
	for _, m := range codeIn.FindAllStringSubmatch(after, -1) {
		all = append(all, strings.Split(strings.ReplaceAll(m[1], "`", ""), ", ")...)
	}
	return all
}

func TestDocumentNamesEachFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	put(t, dir, fixtures()[0])
	got := documented(t, "The files")
	slices.Sort(got)
	if diff := cmp.Diff(sortedKeys(contents(t, dir)), got); diff != "" {
		t.Errorf("files (-written +documented):\n%s", diff)
	}
}

func TestDocumentNamesEachUnit(t *testing.T) {
	b := &benchmark{metrics: compare.AllMetrics()}
	said := documented(t, "The benchmark format")
	quantile := regexp.MustCompile(`^latency-(p[0-9.]+)-ns$`)
	for _, m := range b.metrics {
		unit := b.unit(m)
		if short := quantile.ReplaceAllString(unit, "-$1-"); !slices.Contains(said, unit) && !slices.Contains(said, short) {
			t.Errorf("%s says nothing of %s, only of %q", reportsDoc, unit, said)
		}
	}
}

func TestDocumentNamesEachColumn(t *testing.T) {
	text, err := os.ReadFile(reportsDoc)
	if err != nil {
		t.Fatal(err)
	}
	if want := "Columns: `" + strings.Join(summaryColumns, "`, `") + "`."; !strings.Contains(strings.ReplaceAll(string(text), "\n", " "), want) {
		t.Errorf("%s does not say %s", reportsDoc, want)
	}
}
