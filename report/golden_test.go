package report

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/NAME.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: go test ./report -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestGolden(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			r, samples := f.make()
			golden(t, f.name+".md", markdown(t, r, samples))
			var text bytes.Buffer
			if err := Text(&text, r, false); err != nil {
				t.Fatal(err)
			}
			golden(t, f.name+".txt", text.Bytes())
			if !slices.Contains([]string{"balanced", "proxy", "skewed", "failed", "outside", "emulated"}, f.name) {
				return // the other forms have nothing new to show
			}
			for _, form := range []struct {
				name  string
				write func(io.Writer, *lab.Result) error
			}{{"summary.md", Summary}, {summaryFile, SummaryCSV}, {junitFile, JUnit}, {benchFile, Bench}} {
				var b bytes.Buffer
				if err := form.write(&b, r); err != nil {
					t.Fatal(err)
				}
				golden(t, f.name+"."+form.name, b.Bytes())
			}
		})
	}
}

func TestRenderAgainGivesTheSameBytes(t *testing.T) {
	for _, f := range fixtures() {
		t.Run(f.name, func(t *testing.T) {
			r, samples := f.make()
			dir := filepath.Join(t.TempDir(), "out")
			if err := Write(dir, r, samples); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			again, raw, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			again.Fold(raw, again.Accepted())
			if err := Write(dir, again, raw); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
				t.Errorf("the report changed (-first +second):\n%s", diff)
			}
		})
	}
}

// contents are the files of a folder, by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}
