package report

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

// put writes a fixture's report and fails the test if it cannot.
func put(t *testing.T, dir string, f fixture) {
	t.Helper()
	r, samples := f.make()
	if err := Write(dir, r, samples); err != nil {
		t.Fatal(err)
	}
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b", "out") // the parents are made
			put(t, dir, f)
			r, samples, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			wantResult, wantSamples := f.make()
			got := lab.SampleList(slices.Collect(samples.All()))
			same := cmp.Options{cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}), cmpopts.EquateEmpty()}
			if diff := cmp.Diff(wantResult, r, same); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if !slices.Equal(wantSamples, got) {
				t.Errorf("samples (-want +got):\n%s", cmp.Diff(wantSamples, got, same))
			}
		})
	}
}

func TestRefusalIsWrittenAndRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if err := Write(dir, refusal(), lab.SampleList{}); err != nil {
		t.Fatal(err)
	}
	r, samples, err := Read(dir)
	if err != nil || samples.Len() != 0 || r.Verdicts[0].Outcome != lab.RefusedByHost {
		t.Errorf("%+v, %d samples, error %v", r, samples.Len(), err)
	}
}

func TestWriteLeavesNothingAside(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	put(t, dir, fixtures()[0])
	put(t, dir, fixtures()[0])
	want := []string{benchFile, junitFile, latencyFile, pageFile, reportFile, resultFile, samplesFile, sharesFile, summaryFile, timelineFile}
	if diff := cmp.Diff(want, sortedKeys(contents(t, dir))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the report: %v, %v", entries, err)
	}
}

func TestFailedWriteLeavesTheOldReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	put(t, dir, fixtures()[0])
	before := contents(t, dir)
	r, samples := fixtures()[0].make()
	r.Verdicts[0].Statistic = new(1 / zero)
	if err := Write(dir, r, samples); err == nil {
		t.Fatal("an infinite statistic was written")
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Errorf("the old report changed:\n%s", diff)
	}
	if err := Write(dir+"-new", r, samples); err == nil {
		t.Fatal("an infinite statistic was written")
	}
	if _, err := os.Stat(dir + "-new"); err == nil {
		t.Error("half a report is there")
	}
}

var zero float64

func TestWriteRefusesWhatIsNotItsOwn(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	put(t, other, fixtures()[0])
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{
		"another run":       other,
		"somebody's folder": foreign,
		"a file":            filepath.Join(foreign, "thesis.tex"),
	} {
		r, samples := fixtures()[0].make()
		r.Run = "zzzzzz"
		err := Write(dir, r, samples)
		var usage *lab.UsageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), "--out") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if len(contents(t, foreign)) != 1 {
		t.Error("somebody's folder was changed")
	}
}

func TestWriteAnewKeepsWhatTheUserPutThere(t *testing.T) {
	dir := t.TempDir() // empty, and there already
	put(t, dir, fixtures()[0])
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, dir, fixtures()[2]) // of the same run id, with no plot
	got := contents(t, dir)
	if got["notes.txt"] != "mine" {
		t.Error("the user's file is gone")
	}
	if _, ok := got[sharesFile]; ok {
		t.Error("a plot of the earlier report is still there")
	}
}

func TestWriteRefusesSamplesThatWereNotFolded(t *testing.T) {
	r, samples := fixtures()[0].make()
	if err := Write(filepath.Join(t.TempDir(), "out"), r, samples[1:]); err == nil {
		t.Error("a result of 300 requests was written with 299 samples")
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	var (
		usage *lab.UsageError
		later *lab.UnsupportedError
	)
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		as    any // the type of the error; nil if it has none of its own
		want  string
	}{
		"nothing there":      {func(t *testing.T, dir string) { remove(t, dir, resultFile) }, &usage, "no result of portlab"},
		"no JSON":            {edit(resultFile, func(string) string { return "hello" }), &usage, "not a result"},
		"other JSON":         {edit(resultFile, func(string) string { return "{}" }), &usage, "no schema_version"},
		"another type":       {edit(resultFile, func(s string) string { return strings.Replace(s, `"replicas": 2`, `"replicas": []`, 1) }), &usage, "not a result"},
		"a later version":    {edit(resultFile, func(s string) string { return strings.Replace(s, `"schema_version": 1`, `"schema_version": 2`, 1) }), &later, "later"},
		"half a result":      {edit(resultFile, func(s string) string { return s[:len(s)/2] }), nil, "ends early"},
		"an empty result":    {edit(resultFile, func(string) string { return "" }), nil, "empty"},
		"no samples":         {func(t *testing.T, dir string) { remove(t, dir, samplesFile) }, nil, "missing"},
		"half the samples":   {edit(samplesFile, func(s string) string { return s[:len(s)/2] }), nil, "truncated"},
		"no gzip":            {edit(samplesFile, func(string) string { return "request,connection\n" }), nil, "gzip: invalid header"},
		"another run's rows": {edit(samplesFile, func(string) string { return encoded(t, oddSamples()) }), nil, "300 requests"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "out")
			put(t, dir, fixtures()[0])
			c.spoil(t, dir)
			_, _, err := Read(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("error %v, want %q and the folder in it", err, c.want)
			}
			if c.as != nil && !errors.As(err, c.as) {
				t.Errorf("error of type %T", err)
			}
		})
	}
}

func encoded(t *testing.T, all lab.Samples) string {
	t.Helper()
	var b strings.Builder
	if err := samples.Encode(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func edit(name string, change func(string) string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, name)
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		after := change(string(before))
		if after == string(before) {
			t.Fatal("the file was not changed")
		}
		if err := os.WriteFile(path, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadPassesOverFieldsThatItDoesNotKnow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	put(t, dir, fixtures()[0])
	edit(resultFile, func(s string) string {
		var o map[string]any
		if err := json.Unmarshal([]byte(s), &o); err != nil {
			t.Fatal(err)
		}
		o["later_field"] = 1
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	})(t, dir)
	if _, _, err := Read(dir); err != nil {
		t.Error(err)
	}
}
