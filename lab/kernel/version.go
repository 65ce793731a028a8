package kernel

import (
	"cmp"
	"context"
	"os/exec"
	"strings"
	"time"
)

// versionTimeout is how long a program may take to say its version.
const versionTimeout = 2 * time.Second

const unknownVersion = "unknown version"

// VersionOf is the first line with a digit of what a program prints when it is
// asked for its version by a flag; by -v, as most proxies are, if that is
// empty. One that does not say has an unknown version.
func VersionOf(ctx context.Context, path, flag string) string {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, cmp.Or(flag, "-v")).CombinedOutput()
	if err != nil {
		return unknownVersion
	}
	for line := range strings.Lines(string(out)) {
		if strings.ContainsAny(line, "0123456789") {
			return strings.TrimSpace(line)
		}
	}
	return unknownVersion
}
