package vm

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// BuildConfig says which image to build, and where.
type BuildConfig struct {
	Dir   string // the folder of images; see [CacheDir]
	Kind  Kind
	Suite string // of Debian, such as bookworm; empty: the one that this machine has
	Arch  string // as Debian calls it, amd64 or arm64; empty: this machine's
	// With are further packages. What they need comes along.
	With []string
	// Kernel and Modules are a kernel's file and the folder of its modules, such
	// as /lib/modules/RELEASE, to be taken instead of the suite's kernel. Both or
	// none; for a [Tiny] image alone.
	Kernel, Modules string

	// Missing builds only what is not there: an image of the name that has these
	// packages is returned as it is. Not with a kernel of one's own.
	Missing bool

	Watch func(lab.Event) // is told what is being done; nil: nobody
}

var (
	suiteForm   = regexp.MustCompile(`^[a-z]+$`)
	packageForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]+$`) // Debian Policy, 5.6.1
)

// check finds what is wrong with the configuration itself.
func (cfg BuildConfig) check() error {
	switch {
	case cfg.Dir == "":
		return lab.Usagef("an image needs a folder to be kept in")
	case !slices.Contains(Kinds(), cfg.Kind):
		return lab.Usagef("an image is %s or %s, not %q", Tiny, Docker, cfg.Kind)
	case cfg.Suite != "" && !suiteForm.MatchString(cfg.Suite):
		return lab.Usagef("a suite of Debian is one word, such as bookworm or trixie, not %q", cfg.Suite)
	case cfg.Arch != "amd64" && cfg.Arch != "arm64":
		return &lab.UnsupportedError{What: "an image for " + cfg.Arch, Reason: "images are made for amd64 and arm64"}
	case (cfg.Kernel == "") != (cfg.Modules == ""):
		return lab.Usagef("a kernel and the folder of its modules go together: give both")
	case cfg.Missing && cfg.Kernel != "":
		return lab.Usagef("whether an image with a kernel of one's own is missing shows only when it is built")
	case cfg.Kernel != "" && cfg.Kind != Tiny:
		return lab.Usagef("a kernel of one's own is for an image of kind %s", Tiny)
	}
	for _, p := range cfg.With {
		if !packageForm.MatchString(p) {
			return lab.Usagef("%q is no name of a package", p)
		}
	}
	return cfg.checkKernel()
}

// checkKernel finds out whether the files of a kernel can be read.
func (cfg BuildConfig) checkKernel() error {
	if cfg.Kernel == "" {
		return nil
	}
	f, err := os.Open(cfg.Kernel)
	if err != nil {
		return lab.Usagef("the kernel: %v", err)
	}
	defer f.Close()
	_, err = readModules(cfg.Modules)
	return err
}

// tool is a program that a build runs, and the package that has it.
type tool struct{ name, pkg string }

// programs finds out whether all programs that the build will run are here.
func (cfg BuildConfig) programs() error {
	needed := []tool{{"apt-get", "apt"}, {"apt-config", "apt"}, {"apt-cache", "apt"}, {"dpkg-deb", "dpkg"}, {"xz", "xz-utils"}}
	if cfg.Kind == Docker {
		needed = append(needed, tool{"depmod", "kmod"}, tool{"mke2fs", "e2fsprogs"}, tool{"debugfs", "e2fsprogs"})
	}
	if cfg.Modules != "" {
		t, err := readModules(cfg.Modules)
		if err != nil {
			return err
		}
		for _, p := range t.decompressors() {
			needed = append(needed, tool{p, map[string]string{"xz": "xz-utils"}[p]})
		}
	}
	var missing, packages []string
	for _, t := range needed {
		if _, err := lab.FindProgram(t.name); err == nil || slices.Contains(missing, t.name) {
			continue
		}
		missing = append(missing, t.name)
		if t.pkg == "" {
			t.pkg = t.name
		}
		if !slices.Contains(packages, t.pkg) {
			packages = append(packages, t.pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &lab.UnsupportedError{
		What: "portlab vm build " + string(cfg.Kind), Reason: "this machine has no " + strings.Join(missing, ", no "),
		Remedy: "install the packages: apt-get install " + strings.Join(packages, " "),
	}
}
