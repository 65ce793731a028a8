package kernel

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// versionTimeout is how long a program may take to say its version.
const versionTimeout = 2 * time.Second

// VersionOf is what a program says when it is asked for its version by -v, as
// proxies are; one that does not say has an unknown version.
func VersionOf(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if err != nil || first == "" {
		return "unknown version"
	}
	return first
}
