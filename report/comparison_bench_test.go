package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab/compare"
	"github.com/portlab/portlab/lab/labtest"
)

// benchstat finds the program of golang.org/x/perf/cmd/benchstat: that of the
// environment variable BENCHSTAT, or on the path.
func benchstat(t *testing.T) string {
	t.Helper()
	name := os.Getenv("BENCHSTAT")
	if name == "" {
		name = "benchstat"
	}
	path, err := exec.LookPath(name)
	labtest.Require(t, "benchstat", err == nil, "go install golang.org/x/perf/cmd/benchstat@latest puts it on the path, or BENCHSTAT names it")
	return path
}

// nanoseconds is a unit that benchstat shows in seconds.
var nanoseconds = regexp.MustCompile(`\bns\b`)

// tidied is the unit in which benchstat shows a metric, and by what it multiplies.
func tidied(unit string) (factor float64, shown string) {
	if nanoseconds.MatchString(unit) {
		return 1e-9, nanoseconds.ReplaceAllString(unit, "sec")
	}
	return 1, unit
}

// benchColumn is what benchstat says of one arm in one metric.
type benchColumn struct {
	median string
	p      string // against the first; empty of the first itself
}

// byBenchstat are the columns of benchstat's CSV, by unit and arm.
func byBenchstat(t *testing.T, path string, c *compare.Comparison) map[string]map[string]benchColumn {
	t.Helper()
	file := filepath.Join(t.TempDir(), benchFile)
	var b bytes.Buffer
	if err := ComparisonBench(&b, c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-format", "csv", "-col", "/strategy", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	reader := csv.NewReader(bytes.NewReader(out))
	reader.FieldsPerRecord = -1
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]benchColumn{}
	for i := 0; i+2 < len(rows); i++ {
		if len(rows[i+1]) < 3 || rows[i+1][2] != "CI" {
			continue
		}
		unit, row := rows[i+1][1], rows[i+2]
		all[unit] = map[string]benchColumn{}
		for k, arm := range rows[i] {
			if arm == "" {
				continue
			}
			column := benchColumn{median: row[k]}
			if k+3 < len(row) && rows[i+1][k+3] == "P" {
				column.p, _, _ = strings.Cut(strings.TrimPrefix(row[k+3], "p="), " ")
			}
			all[unit][arm] = column
		}
	}
	return all
}

// measuredContest is a comparison that was measured, on a noisy machine; its memory and
// its loss have ties.
func measuredContest(t *testing.T) *compare.Comparison {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "measured.comparison.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := &compare.Comparison{}
	if err := json.Unmarshal(data, c); err != nil {
		t.Fatal(err)
	}
	return c
}

// benchstat and the comparison agree on every median and every p-value against
// the first baseline, within what benchstat rounds.
func TestBenchstatAgrees(t *testing.T) {
	path := benchstat(t)
	for name, c := range map[string]*compare.Comparison{"made up": noisyContest(), "measured": measuredContest(t)} {
		t.Run(name, func(t *testing.T) {
			d, said := digestOf(c), byBenchstat(t, path, c)
			compared := 0
			for _, m := range c.Metrics {
				for _, arm := range d.present() {
					if agree(t, d, m, arm, said) {
						compared++
					}
				}
			}
			if want := 3 * len(c.Metrics); compared < want {
				t.Errorf("only %d p-values were compared, not %d or more", compared, want)
			}
		})
	}
}

// agree holds what benchstat said of an arm against the comparison, and says
// whether there was a p-value to compare.
func agree(t *testing.T, d *digest, m compare.Metric, arm string, said map[string]map[string]benchColumn) bool {
	t.Helper()
	factor, unit := tidied((&benchmark{metrics: d.Metrics}).unit(m))
	got, ok := said[unit][arm]
	s, has := d.summaries[[2]string{arm, m.Name}]
	if ok != has {
		t.Errorf("%s of %s: benchstat has it: %v, the comparison: %v", m.Name, arm, ok, has)
	}
	if !ok {
		return false
	}
	median, err := strconv.ParseFloat(got.median, 64)
	if want := s.Value.Median * factor; err != nil || math.Abs(median-want) > 1e-6*math.Abs(want) {
		t.Errorf("%s of %s: benchstat's median is %s, the comparison's %v", m.Name, arm, got.median, want)
	}
	pair, held := d.versus(d.baseline(), arm, m.Name)
	if !held || got.p == "" || pair.PValue == nil {
		return false // the made-up comparison has none where there are ties
	}
	p, err := strconv.ParseFloat(got.p, 64)
	if err != nil || math.Abs(p-*pair.PValue) > 0.0005+1e-9 { // it shows three digits
		t.Errorf("%s of %s: benchstat's p is %s, the comparison's %v", m.Name, arm, got.p, *pair.PValue)
	}
	return true
}
