package report

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
)

// The lines of the Go benchmark format (golang.org/design/14313).
var (
	benchConfig = regexp.MustCompile(`^[a-z][^\sA-Z:]*: \S.*$`)
	benchUnit   = regexp.MustCompile(`^Unit (\S+) better=(higher|lower)$`)
	benchRun    = regexp.MustCompile(`^BenchmarkPortlab(?:/[a-z]+=[^\s/]+)+ [0-9]+((?: [0-9.]+ \S+)+)$`)
)

// benchLines reads a file in the benchmark format, strictly: the values of its
// one run by their units.
func benchLines(t *testing.T, file string) map[string]float64 {
	t.Helper()
	values, described := map[string]float64{}, map[string]bool{}
	runs := 0
	for line := range strings.Lines(file) {
		line = strings.TrimSuffix(line, "\n")
		switch run := benchRun.FindStringSubmatch(line); {
		case line == "" || benchConfig.MatchString(line):
		case benchUnit.MatchString(line):
			described[benchUnit.FindStringSubmatch(line)[1]] = true
		case run != nil:
			runs++
			fields := strings.Fields(run[1])
			for i := 0; i < len(fields); i += 2 {
				if _, twice := values[fields[i+1]]; twice {
					t.Errorf("two values in %s", fields[i+1])
				}
				var err error
				if values[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
					t.Error(err)
				}
			}
			if name := strings.Fields(line)[0]; regexp.MustCompile(`-[0-9]+$`).MatchString(name) {
				t.Errorf("%s would be read as a run on so many processors", name)
			}
		default:
			t.Errorf("no line of the format: %q", line)
		}
	}
	if runs != 1 {
		t.Errorf("%d lines of runs, want 1", runs)
	}
	for unit := range values {
		if !described[unit] && !strings.HasSuffix(unit, "ns/op") {
			t.Errorf("it is not said whether more %s is better", unit)
		}
	}
	return values
}

func benchOf(t *testing.T, r *lab.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := Bench(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestBenchSaysWhatTheResultSays(t *testing.T) {
	for _, f := range fixtures() {
		r := first(f.make())
		values := benchLines(t, benchOf(t, r))
		want := compare.Values(r)
		if len(values) != len(want)+1 { // and ns/op
			t.Errorf("%s: %d values, want %d metrics and ns/op", f.name, len(values), len(want))
		}
		timed := newBenchmark(r.Environment).timed
		if p50, known := want[compare.LatencyP50]; known && values[timed("latency-p50-ns")] != p50 {
			t.Errorf("%s: p50 is %v ns, want %v", f.name, values[timed("latency-p50-ns")], p50)
		}
		if got, want := values[timed("ns/op")]*float64(r.Requests), float64(r.Elapsed); got < 0.999*want || got > 1.001*want {
			t.Errorf("%s: all requests took %v ns, want %v", f.name, got, want)
		}
	}
}

func TestBenchOfHostileTextIsStillTheFormat(t *testing.T) {
	for _, bad := range append(hostile, "a b/c-2", "Unit x better=lower", "BenchmarkX 1 1 ns/op") {
		r, _ := hostileResult(bad)
		benchLines(t, benchOf(t, r))
	}
}

// benchstat reads the file, in the units that it makes of ours.
func TestBenchstatReadsARun(t *testing.T) {
	path := benchstat(t)
	r := first(fixtures()[0].make())
	file := filepath.Join(t.TempDir(), benchFile)
	if err := os.WriteFile(file, []byte(benchOf(t, r)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "-format", "csv", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		",sec/op,", ",req/s,", ",latency-p50-sec,", ",lost/req,", "Portlab/strategy=dnat/replicas=2," + exactly(r.Latency.P50.Seconds()),
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
