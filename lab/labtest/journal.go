package labtest

import (
	"slices"
	"sync"

	"github.com/portlab/portlab/lab"
)

// Journal is a [lab.Journal] in memory. Its zero value is ready.
type Journal struct {
	mu    sync.Mutex
	notes []lab.Note
}

// Write keeps a note.
func (j *Journal) Write(n lab.Note) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, n)
	return nil
}

// Notes are those written so far.
func (j *Journal) Notes() []lab.Note {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.notes)
}
