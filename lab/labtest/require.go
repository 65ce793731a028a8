package labtest

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Require skips t, with the reason, unless ok. Where the environment variable
// PORTLAB_REQUIRE, a list parted by commas, names what is missing, the test
// fails instead: so a machine that must have it cannot pass by skipping.
func Require(t testing.TB, what string, ok bool, reason string) {
	t.Helper()
	if ok {
		return
	}
	if slices.Contains(strings.Split(os.Getenv("PORTLAB_REQUIRE"), ","), what) {
		t.Fatalf("%s is required (PORTLAB_REQUIRE) and missing: %s", what, reason)
	}
	t.Skipf("no %s: %s", what, reason)
}
