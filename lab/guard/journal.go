package guard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/portlab/portlab/lab"
)

const journalSuffix = ".journal"

// sysctlNote is the kind of note that can be undone.
const sysctlNote = "sysctl"

// journal is a run's notes on a file: one JSON object a line, in the order in
// which they were written. There is no file without a note.
type journal struct {
	run lab.RunID

	mu   sync.Mutex
	file *os.File
}

func (j *journal) write(n lab.Note) error {
	line, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		if j.file, err = createJournal(j.run); err != nil {
			return err
		}
	}
	if _, err := j.file.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("write a note: %w", err)
	}
	return nil
}

func createJournal(run lab.RunID) (*os.File, error) {
	dir, err := lab.RuntimeDir()
	if err != nil {
		return nil, err
	}
	// A run that ends elsewhere may remove the folder while it is empty.
	const attempts = 100
	var f *os.File
	for range attempts {
		if err = os.MkdirAll(dir, 0o755); err == nil {
			f, err = os.OpenFile(filepath.Join(dir, string(run)+journalSuffix), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make the run's journal: %w", err)
	}
	return f, nil
}

func (j *journal) remove() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	err := errors.Join(j.file.Close(), removeJournal(j.file.Name()))
	j.file = nil
	return err
}

func removeJournal(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a journal: %w", err)
	}
	return lab.PruneRuntimeDir()
}

// parseJournal reads a journal. A last line that is not whole is passed over:
// its change was never made.
func parseJournal(text []byte) ([]lab.Note, error) {
	var notes []lab.Note
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var n lab.Note
		if err := json.Unmarshal(line, &n); err != nil {
			return notes, fmt.Errorf("read note %d of a journal: %w", len(notes)+1, err)
		}
		notes = append(notes, n)
	}
	return notes, nil
}

// journals finds the journals of this home's runs. To remove one is to set
// back what its notes say, last note first.
func journals(s lab.Sysctls) ([]lab.Trace, error) {
	dir, err := lab.RuntimeDir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("look for journals: %w", err)
	}
	var all []lab.Trace
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), journalSuffix)
		id, err := lab.ParseRunID(name)
		if !ok || err != nil {
			continue
		}
		path := filepath.Join(dir, e.Name())
		all = append(all, lab.Trace{
			Run: id, Kind: lab.SysctlTrace, Name: describe(path),
			Remove: func(context.Context) error { return restoreAll(path, s) },
		})
	}
	return all, nil
}

// describe is a journal for people: what it would set back, and where it is.
func describe(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return path
	}
	notes, _ := parseJournal(text) // what can be read is shown
	var all []string
	for _, n := range notes {
		all = append(all, n.Name+"="+n.Before)
	}
	return strings.Join(append(all, "by "+path), " ")
}

func restoreAll(path string, s lab.Sysctls) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read a journal: %w", err)
	}
	notes, err := parseJournal(text)
	errs := []error{err}
	for _, n := range slices.Backward(notes) {
		errs = append(errs, restore(n, s))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w (the journal %s is kept)", err, path)
	}
	return removeJournal(path)
}

// restore undoes one note, unless somebody has made another change since: that
// is not ours to undo.
func restore(n lab.Note, s lab.Sysctls) error {
	if n.Kind != sysctlNote {
		return fmt.Errorf("cannot undo a change of kind %q of %s", n.Kind, n.Name)
	}
	now, err := s.Get(n.Name)
	if errors.Is(err, lab.ErrUnsupported) {
		return nil // it went away with the link that it belonged to
	}
	if err != nil {
		return err
	}
	if now != n.After || now == n.Before {
		return nil
	}
	return s.Set(n.Name, n.Before)
}
