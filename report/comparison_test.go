package report

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

var contests = []struct {
	name string
	make func() *compare.Comparison
}{
	{"comparison-noisy", noisyContest},
	{"comparison-crowded", func() *compare.Comparison { return crowded(30) }},
	{"comparison-short", short},
	{"comparison-emulated", emulatedContest},
}

func TestComparisonGolden(t *testing.T) {
	for _, f := range contests {
		t.Run(f.name, func(t *testing.T) {
			var markdown, text bytes.Buffer
			if err := ComparisonMarkdown(&markdown, f.make()); err != nil {
				t.Fatal(err)
			}
			if n := len(f.make().Arms); n < 10 { // more is not read as text
				golden(t, f.name+".md", markdown.Bytes())
			}
			if err := ComparisonText(&text, f.make(), false); err != nil {
				t.Fatal(err)
			}
			golden(t, f.name+".txt", text.Bytes())
		})
	}
}

func TestComparisonFitsATerminal(t *testing.T) {
	for _, f := range contests {
		var b bytes.Buffer
		if err := ComparisonText(&b, f.make(), false); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > comparisonWidth {
				t.Errorf("%s: %d columns: %s", f.name, n, line)
			}
		}
	}
}

func TestAComparisonIsReadBackAndRenderedToTheSameBytes(t *testing.T) {
	for _, f := range contests {
		dir := filepath.Join(t.TempDir(), "out")
		if err := WriteComparison(dir, f.make()); err != nil {
			t.Fatal(err)
		}
		if !IsComparison(dir) {
			t.Error("what was written is no comparison")
		}
		before := contents(t, dir)
		again, err := ReadComparison(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteComparison(dir, again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
			t.Errorf("%s changed (-first +second):\n%s", f.name, diff)
		}
	}
}

func TestAnotherComparisonIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "runs.txt")
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteComparison(dir, short()); err != nil {
		t.Fatal("a folder that holds something else:", err)
	}
	c := short()
	c.ID = "zzzzzz"
	var usage *lab.UsageError
	if err := WriteComparison(dir, c); !errors.As(err, &usage) {
		t.Errorf("error %v", err)
	}
	if err := WriteComparison(other, c); !errors.As(err, &usage) {
		t.Errorf("onto a file: error %v", err)
	}
}

func TestComparisonsThatCannotBeRead(t *testing.T) {
	var usage *lab.UsageError
	if _, err := ReadComparison(t.TempDir()); !errors.As(err, &usage) {
		t.Errorf("an empty folder: %v", err)
	}
	for content, fits := range map[string]func(error) bool{
		`{"schema_version": 99}`:                  func(err error) bool { return errors.Is(err, lab.ErrUnsupported) },
		`{"id": "c3f9a2"}`:                        func(err error) bool { return errors.As(err, &usage) },
		`{"schema_version": 1, "id": "c3f9a2", "`: func(err error) bool { return strings.Contains(err.Error(), comparisonFile) },
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, comparisonFile), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadComparison(dir); err == nil || !fits(err) {
			t.Errorf("%s: %v", content, err)
		}
	}
}

// An arm shares a letter with another exactly where the two cannot be told apart.
func TestLettersSayExactlyWhoCanBeToldApart(t *testing.T) {
	for _, f := range contests {
		d := digestOf(f.make())
		for _, m := range d.Metrics {
			letters := d.letters(m)
			for _, p := range d.Pairs {
				if p.Metric != m.Name {
					continue
				}
				if shares := strings.ContainsAny(letters[p.First], letters[p.Second]); shares != (p.Order == compare.CannotTell) {
					t.Errorf("%s, %s: %s has %q and %s has %q, and the verdict is %q", f.name, m.Name,
						p.First, letters[p.First], p.Second, letters[p.Second], p.Order)
				}
			}
			if ranked := d.ranked(m); !strings.Contains(letters[ranked[0]], "a") {
				t.Errorf("%s, %s: the best, %s, has %q", f.name, m.Name, ranked[0], letters[ranked[0]])
			}
		}
	}
}

func TestTheReportFollowsTheData(t *testing.T) {
	c := noisyContest()
	text := func() string {
		var b bytes.Buffer
		if err := ComparisonText(&b, c, false); err != nil {
			t.Fatal(err)
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	says := func(want string) {
		t.Helper()
		if s := text(); !strings.Contains(s, want) {
			t.Errorf("it does not say %q:\n%s", want, s)
		}
	}
	says("The machine was not quiet. Ratios hold up better than values. - The baseline's median latency drifted")
	says("reuseport, client address: found with different answers")
	says("sk-lookup could not take part: sk-lookup needs BPF")
	says("round 5, proxy failed: the front did not answer")
	says("contradictory")
	c.Noise.Quiet, c.Warnings, c.Traits = true, nil, nil
	if s := text(); strings.Contains(s, "not quiet") || strings.Contains(s, "with care") || strings.Contains(s, "contradictory") {
		t.Errorf("it doubts what is not in doubt:\n%s", s)
	}
	for i := range c.Pairs {
		c.Pairs[i].Order = compare.FirstBetter
	}
	if s := text(); strings.Count(s, "?0")+strings.Count(s, "?1") > 0 {
		t.Errorf("it marks arms that can be told apart:\n%s", s)
	}
}

func TestComparisonTables(t *testing.T) {
	d := digestOf(noisyContest())
	for name, write := range map[string]func(*bytes.Buffer) error{
		"summaries": func(b *bytes.Buffer) error { return ComparisonCSV(b, d.Comparison) },
		"pairs":     func(b *bytes.Buffer) error { return writePairs(b, d) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll() // which refuses rows of different lengths
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := map[string]int{"pairs": len(d.Pairs) + 1}[name]; want > 0 && len(rows) != want {
			t.Errorf("%s: %d rows, want %d", name, len(rows), want)
		}
	}
}

func TestComparisonJUnitHasACaseForEachClaimOfEachArm(t *testing.T) {
	var b bytes.Buffer
	if err := ComparisonJUnit(&b, noisyContest()); err != nil {
		t.Fatal(err)
	}
	var all junitSuites
	if err := xml.Unmarshal(b.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string][4]int{}
	for _, s := range all.Suites {
		name, _, _ := strings.Cut(s.Name, " on ")
		got[name] = [4]int{s.Tests, s.Failures, s.Errors, s.Skipped}
	}
	want := map[string][4]int{
		"direct": {1}, "client-side": {1}, "reuseport": {2, 0, 0, 1}, "dnat": {2}, "proxy": {2, 1}, "nginx:method=random": {1},
		"sk-lookup": {1, 0, 0, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cases, failures, errors, skipped (-want +got):\n%s", diff)
	}
}

func TestComparisonPageHasPlotsTablesAndLinks(t *testing.T) {
	files, err := comparisonFiles(crowded(30))
	if err != nil {
		t.Fatal(err)
	}
	page := string(files[pageFile])
	for _, want := range []string{"<svg", "Which should I use?", "runs/1-", "/report.html", "<table>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, bad := range []string{"<script", "/report.md\""} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if names := sortedKeys(files); !slices.Contains(names, forestFile) {
		t.Errorf("the files are %v", names)
	}
}

// Every run that was kept and every trait that a run shows is linked to.
func TestEveryRunIsLinkedTo(t *testing.T) {
	c := noisyContest()
	files, err := comparisonFiles(c)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, r := range c.Rounds {
		for _, run := range r.Runs {
			folders = append(folders, run.Folder)
		}
	}
	for _, found := range c.Traits {
		folders = append(folders, found.Folder)
	}
	for _, folder := range folders {
		if link := `href="` + folder + `/report.html"`; folder != "" && !strings.Contains(string(files[pageFile]), link) {
			t.Errorf("there is no link to %s", folder)
		}
	}
	if left := regexp.MustCompile(`\]\[\d+\]`).FindString(string(files[pageFile])); left != "" {
		t.Errorf("a link by number leads nowhere: %s", left)
	}
}
