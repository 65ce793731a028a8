package report

import (
	"bytes"
	"encoding/csv"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// figures tells by two renderings, of runs that differ in times, rates and costs
// alone, where such a figure stands without the word beside it: each piece of text
// that differs must have it, or be under a heading that has it.
type figures struct {
	t      *testing.T
	name   string
	differ int // pieces of text
}

func (f *figures) compare(a, b, heading string) {
	if squeeze(a) == squeeze(b) {
		return
	}
	f.differ++
	if !strings.Contains(a, emulated) && !strings.Contains(heading, emulated) {
		f.t.Errorf("%s: a figure with no word of the emulator beside it: %q, under %q", f.name, squeeze(a), squeeze(heading))
	}
}

// squeeze takes away what columns are made even with.
func squeeze(s string) string {
	return strings.Join(strings.Fields(regexp.MustCompile(`-{3,}|:?-+:|█[█▏▎▍▌▋▊▉]*`).ReplaceAllString(s, "")), " ")
}

// items are the parts of a text that are read as one: a line with those behind it
// that are further in. A cell of a table of Markdown is one as well; its heading is
// that of its column, and else the first line of its paragraph that has columns.
func items(text string) (all, headings []string) {
	indent, first := 0, ""
	var columns []string
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		in := len(line) - len(strings.TrimLeft(line, " "))
		switch cells := strings.Split(line, "|"); {
		case line == "":
			first, columns = "", nil
			continue
		case line[0] == '|' && columns == nil:
			columns = cells
			all, headings = append(all, line), append(headings, "")
		case line[0] == '|':
			for i, c := range cells {
				all, headings = append(all, c), append(headings, cells[1]+columns[i])
			}
		case first != "" && (in > indent || in == indent && unfinished(all[len(all)-1])):
			all[len(all)-1] += line
		default:
			if !strings.Contains(strings.TrimSpace(first), "  ") { // it has no columns
				first = line
			}
			indent, all, headings = in, append(all, line), append(headings, first)
		}
	}
	return all, headings
}

// unfinished says whether a sentence goes on in the next line.
func unfinished(s string) bool {
	s = strings.TrimSpace(s)
	return !strings.Contains(s, "  ") && strings.Contains(s, ", ") && !strings.HasSuffix(s, ".") && !strings.HasPrefix(s, "-")
}

func (f *figures) text(a, b string) {
	before, headings := items(a)
	after, _ := items(b)
	if len(before) != len(after) {
		f.t.Fatalf("%s: %d items and %d: other things than figures differ", f.name, len(before), len(after))
	}
	for i := range before {
		f.compare(before[i], after[i], headings[i])
	}
}

func (f *figures) lines(a, b string) {
	before, after := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range before {
		f.compare(before[i], after[i], "")
	}
}

// csv has the word in its last heading, and 1 below it where it applies.
func (f *figures) csv(a, b string) {
	var tables [2][][]string
	for i, s := range []string{a, b} {
		var err error
		if tables[i], err = csv.NewReader(strings.NewReader(s)).ReadAll(); err != nil {
			f.t.Fatal(err)
		}
	}
	head := tables[0][0]
	for i, row := range tables[0] {
		word := ""
		if head[len(head)-1] == emulated && row[len(row)-1] == "1" {
			word = emulated
		}
		f.compare(strings.Join(row, ","), strings.Join(tables[1][i], ","), word)
	}
}

// bench has the word in the unit behind each value.
func (f *figures) bench(a, b string) {
	before, after := strings.Fields(a), strings.Fields(b)
	for i := range before {
		f.compare(before[i], after[i], before[min(i+1, len(before)-1)])
	}
}

var (
	element    = regexp.MustCompile(`(?s)<(tr|p|li|h1|h2|h3|text|title)\b[^>]*>.*?</(?:tr|p|li|h1|h2|h3|text|title)>`)
	figure1    = regexp.MustCompile(`(?s)<svg.*?</svg>`)
	unitOfTime = regexp.MustCompile(`\((ms|s|1/s)\b`)
	table      = regexp.MustCompile(`(?s)<table>.*?</table>`)
)

// plot has the word in the name of each axis with a unit, or in its title.
func (f *figures) plot(a, b string) {
	if a == b {
		return
	}
	f.differ++
	named := 0
	for _, word := range words(f.t, []byte(a)) {
		if strings.Contains(word, emulated) {
			named++
		} else if unitOfTime.MatchString(word) {
			f.t.Errorf("%s: a plot's axis is named %q", f.name, word)
		}
	}
	if named == 0 {
		f.t.Errorf("%s: a plot without the word", f.name)
	}
}

func (f *figures) html(a, b string) {
	plots, others := figure1.FindAllString(a, -1), figure1.FindAllString(b, -1)
	for i := range plots {
		f.plot(plots[i], others[i])
	}
	a, b = figure1.ReplaceAllString(a, ""), figure1.ReplaceAllString(b, "")
	tables, others := table.FindAllString(a, -1), table.FindAllString(b, -1)
	for i := range tables {
		head, _, _ := strings.Cut(tables[i], "</thead>")
		f.elements(tables[i], others[i], head)
	}
	f.elements(table.ReplaceAllString(a, ""), table.ReplaceAllString(b, ""), "")
}

func (f *figures) elements(a, b, heading string) {
	before, after := element.FindAllString(a, -1), element.FindAllString(b, -1)
	if len(before) != len(after) {
		f.t.Fatalf("%s: %d elements and %d", f.name, len(before), len(after))
	}
	for i := range before {
		f.compare(before[i], after[i], heading)
	}
}

// by are the ways in which a rendering's file is looked at, by its name.
func (f *figures) by(name string) func(a, b string) {
	switch {
	case strings.HasSuffix(name, ".csv"):
		return f.csv
	case name == junitFile:
		return f.lines
	case name == benchFile:
		return f.bench
	case strings.HasSuffix(name, ".svg"):
		return f.plot
	case name == pageFile:
		return f.html
	case strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".gz"):
		return nil // for programs, which have the environment beside them
	}
	return f.text
}

func rendered(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func resultFiles(t *testing.T, r *lab.Result, samples lab.SampleList) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := Write(dir, r, samples); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	files["text"] = rendered(t, func(w io.Writer) error { return Text(w, r, false) })
	files["job summary"] = rendered(t, func(w io.Writer) error { return Summary(w, r) })
	files["samples.csv"] = rendered(t, func(w io.Writer) error { return CSV(w, samples, r.Environment.Emulated) })
	return files
}

func comparisonFilesOf(t *testing.T, c *compare.Comparison) map[string]string {
	t.Helper()
	made, err := comparisonFiles(c)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"text": rendered(t, func(w io.Writer) error { return ComparisonText(w, c, false) })}
	for name, data := range made {
		files[name] = string(data)
	}
	return files
}

// twoRuns are the files of a run, and of a slower one.
func twoRuns(t *testing.T, f fixture) [2]map[string]string {
	r, samples := f.make()
	other, others := slower(r, samples)
	return [2]map[string]string{resultFiles(t, r, samples), resultFiles(t, other, others)}
}

// slowerContest has other values and other ratios, and the arms in the same order.
func slowerContest() *compare.Comparison {
	d := digestOf(emulatedContest())
	order := d.ranked(d.Metrics[0])
	return emulatedContestBy(func(arm string) float64 { return 2 + 0.2*float64(slices.Index(order, arm)) })
}

func TestEveryFigureOfAnEmulatorSaysSo(t *testing.T) {
	many := named(t, "emulated")
	many.weights, many.counts = equal(textRows+1), slices.Repeat([]int{50}, textRows+1)
	for what, files := range map[string][2]map[string]string{
		"run":         twoRuns(t, named(t, "emulated")),
		"run of many": twoRuns(t, many),
		"comparison":  {comparisonFilesOf(t, emulatedContest()), comparisonFilesOf(t, slowerContest())},
	} {
		for name, text := range files[0] {
			f := &figures{t: t, name: what + ", " + name}
			look := f.by(name)
			if look == nil {
				continue
			}
			look(text, files[1][name])
			counts := []string{sharesFile}
			if what == "comparison" {
				counts = append(counts, junitFile) // which has no time of its own
			}
			if (f.differ == 0) != slices.Contains(counts, name) {
				t.Errorf("%s: %d figures differ", f.name, f.differ)
			}
		}
	}
}

func TestNoFigureOfARealProcessorSaysEmulated(t *testing.T) {
	r, samples := named(t, "emulated").make()
	r.Environment.Emulated = false
	r.Environment.Notes, r.Verdicts = nil, nil
	r.Fold(samples, nil)
	files := resultFiles(t, r, samples)
	delete(files, summaryFile) // whose heading it is
	for name, text := range files {
		if strings.Contains(text, emulated) {
			t.Errorf("%s says it", name)
		}
	}
}
