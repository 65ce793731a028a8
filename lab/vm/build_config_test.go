package vm

import (
	"errors"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestBadBuildsAreRefused(t *testing.T) {
	modules := fakeTree(t, map[string]string{"veth": "depends="}, "")
	good := BuildConfig{Dir: "/nonexistent", Kind: Tiny, Arch: "amd64"}
	for name, change := range map[string]func(*BuildConfig){
		"no folder":         func(c *BuildConfig) { c.Dir = "" },
		"no such kind":      func(c *BuildConfig) { c.Kind = "large" },
		"a suite as a path": func(c *BuildConfig) { c.Suite = "../sid" },
		"an option of apt":  func(c *BuildConfig) { c.With = []string{"-o=x"} },
		"a kernel alone":    func(c *BuildConfig) { c.Kernel = "/etc/hosts" },
		"modules alone":     func(c *BuildConfig) { c.Modules = modules },
		"no such kernel":    func(c *BuildConfig) { c.Kernel, c.Modules = "/nonexistent", modules },
		"no modules":        func(c *BuildConfig) { c.Kernel, c.Modules = "/etc/hosts", t.TempDir() },
		"for a disk":        func(c *BuildConfig) { c.Kernel, c.Modules, c.Kind = "/etc/hosts", modules, Docker },
	} {
		cfg := good
		change(&cfg)
		if _, err := Build(t.Context(), cfg); !isUsage(err) {
			t.Errorf("%s: %v, want that it is bad usage", name, err)
		}
	}
	other := good
	other.Arch = "riscv64"
	if _, err := Build(t.Context(), other); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("for riscv64: %v, want that it is not supported", err)
	}
}

func isUsage(err error) bool {
	_, is := errors.AsType[*lab.UsageError](err)
	return is
}

// What is missing is told with the packages that have it.
func TestMissingProgramsAreNamed(t *testing.T) {
	for _, variable := range []string{"PORTLAB_MKE2FS", "PORTLAB_DEBUGFS", "PORTLAB_XZ"} {
		t.Setenv(variable, "/nonexistent")
	}
	for kind, want := range map[Kind]string{Tiny: "xz-utils", Docker: "xz-utils e2fsprogs"} {
		err := BuildConfig{Kind: kind}.programs()
		unsupported, ok := errors.AsType[*lab.UnsupportedError](err)
		if !ok || !strings.HasSuffix(unsupported.Remedy, "apt-get install "+want) {
			t.Errorf("%s: %v, want the remedy to install %s", kind, err, want)
		}
	}
}
