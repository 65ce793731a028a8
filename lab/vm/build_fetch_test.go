package vm

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// askedToFetch skips a test that fetches packages, some 40 MB of them, unless it
// was asked for.
func askedToFetch(t *testing.T) {
	t.Helper()
	asked := slices.Contains(strings.Split(os.Getenv("PORTLAB_REQUIRE"), ","), "vm")
	labtest.Require(t, "vm", asked, "it fetches packages, which is done only with PORTLAB_REQUIRE=vm")
}

func TestImageIsBuiltFromTheDistribution(t *testing.T) {
	askedToFetch(t)
	dir := t.TempDir()
	var notes []string
	built, err := Build(t.Context(), BuildConfig{Dir: dir, Kind: Tiny, Watch: func(e lab.Event) { notes = append(notes, e.Note) }})
	if err != nil {
		t.Fatal(err)
	}
	found, err := Find(dir, built.Name)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Lacks) > 0 {
		t.Errorf("the kernel %s lacks %v", found.Release, found.Lacks)
	}
	if !strings.Contains(strings.Join(notes, "\n"), " MB, ") {
		t.Errorf("how much is fetched was not said: %q", notes)
	}
	archive, err := os.ReadFile(found.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	got := entriesOf(t, archive)
	for _, program := range []string{"bin/busybox", "bin/dash", "bin/ip", "sbin/tc", "sbin/ipvsadm", "sbin/conntrack", "sbin/nft", "sbin/xtables-nft-multi"} {
		if got["usr/"+program] == "" {
			t.Errorf("usr/%s is not in the image", program)
		}
	}
	// Each module that is loaded at the start is there, and is one.
	for name := range strings.FieldsSeq(got["portlab/modules"]) {
		if _, err := modinfo([]byte(got[strings.TrimPrefix(name, "/")])); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the image the build left %v (%v)", left, err)
	}
}

func TestInterruptedBuildLeavesNothing(t *testing.T) {
	askedToFetch(t)
	for _, at := range []lab.Phase{Listing, Unpacking} {
		ctx, interrupt := context.WithCancel(t.Context())
		dir := t.TempDir()
		_, err := Build(ctx, BuildConfig{Dir: dir, Kind: Tiny, Watch: func(e lab.Event) {
			if e.Phase == at {
				interrupt()
			}
		}})
		interrupt()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted while %s: %v", at, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("interrupted while %s, the build left %v (%v)", at, left, err)
		}
	}
}
