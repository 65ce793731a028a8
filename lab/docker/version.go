package docker

import (
	"context"
	"maps"
	"os/exec"
	"strings"
	"time"
)

// versionTimeout is how long a program may take to say its version.
const versionTimeout = 2 * time.Second

// versionOf is what a program says when it is asked for its version by -v, as
// proxies are; one that does not say has an unknown version.
func versionOf(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || first == "" {
		return "unknown version"
	}
	return first
}

// came notes where a program came from.
func (s *sidecars) came(program, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.origin[program] = from
}

// origins are the programs in the path, where they came from, and their
// versions.
func (s *sidecars) origins() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.origin)
}
