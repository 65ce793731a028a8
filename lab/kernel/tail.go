package kernel

import (
	"strings"
	"sync"
)

// tailBytes is how much of a process's output is kept for error messages.
const tailBytes = 8 << 10

// Tail is an io.Writer that keeps the end of what is written to it: 8 KiB. It is safe
// for concurrent use.
type Tail struct {
	mu   sync.Mutex
	kept []byte
	cut  bool
}

// Write implements [io.Writer]; it does not fail.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - tailBytes; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
		t.cut = true
	}
	return len(p), nil
}

// String is the end of the output, with a mark where its beginning is lost.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(string(t.kept))
	if t.cut {
		text = "[...] " + text
	}
	return text
}
