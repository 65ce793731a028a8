package guard

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestRestoreUndoesOnlyWhatIsStillOurs(t *testing.T) {
	n := lab.Note{Kind: "sysctl", Name: "knob", Before: "0", After: "1"}
	for now, want := range map[string]string{"1": "0", "2": "2", "0": "0"} {
		w := world(t.TempDir())
		if err := w.Set("knob", now); err != nil {
			t.Fatal(err)
		}
		if err := restore(n, w); err != nil {
			t.Fatal(err)
		}
		if got, _ := w.Get("knob"); got != want {
			t.Errorf("from %s to %s, not %s", now, got, want)
		}
	}
	if err := restore(n, world(t.TempDir())); err != nil {
		t.Errorf("a sysctl that went away with its link: %v", err)
	}
}

func TestRestoreAllGoesBackwardsAndKeepsWhatItCannotUndo(t *testing.T) {
	w := world(t.TempDir())
	path := filepath.Join(t.TempDir(), "x.journal")
	text := `{"kind":"sysctl","name":"knob","before":"0","after":"1"}
{"kind":"sysctl","name":"knob","before":"1","after":"2"}
`
	for _, c := range []struct{ more, kept string }{{"", ""}, {`{"kind":"magic"}` + "\n", "magic"}} {
		if err := w.Set("knob", "2"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+c.more), 0o600); err != nil {
			t.Fatal(err)
		}
		err := restoreAll(path, w)
		if got, _ := w.Get("knob"); got != "0" {
			t.Errorf("set back to %q", got)
		}
		if c.kept == "" && (err != nil || !missing(path)) {
			t.Errorf("the journal is left: %v", err)
		}
		if c.kept != "" && (err == nil || !strings.Contains(err.Error(), c.kept) || missing(path)) {
			t.Errorf("the journal is gone, or nobody says why it is kept: %v", err)
		}
	}
}

func TestJournalIsReadAsItWasWritten(t *testing.T) {
	j := journal{run: lab.NewRunID()}
	want := []lab.Note{{Kind: "sysctl", Name: "a", Before: "x\ny", After: `"`}, {Kind: "sysctl", Name: "b"}}
	for _, n := range want {
		if err := j.write(n); err != nil {
			t.Fatal(err)
		}
	}
	path := journalOf(t, j.run)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseJournal(text)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("read %v, %v", got, err)
	}
	for range 2 {
		if err := j.remove(); err != nil {
			t.Fatal(err)
		}
	}
	if !missing(path) {
		t.Error("the journal is left")
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte(`{"kind":"sysctl","name":"a","before":"0","after":"1"}` + "\n" + `{"kind":"sys`))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		notes, err := parseJournal(text)
		lines := strings.Count(string(text), "\n")
		if len(notes) > lines {
			t.Fatalf("%d notes in %d whole lines", len(notes), lines)
		}
		if err == nil && len(notes) != lines {
			t.Fatalf("%d notes of %d lines, and no error", len(notes), lines)
		}
	})
}
