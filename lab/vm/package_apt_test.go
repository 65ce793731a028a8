package vm

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
)

// fakeArchive is a folder from which apt can fetch: app needs lib and, to be
// installed, perl; perl cannot be had.
func fakeArchive(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var index strings.Builder
	for name, control := range map[string]string{
		"app": "Package: app\nSection: net\nDepends: lib, perl (>= 5)\n",
		"lib": "Package: lib\nSection: libs\n",
	} {
		b, err := os.ReadFile(fakeDeb(t, control, map[string]string{"usr/share/" + name + "/file": name}))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".deb"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&index, "%sVersion: 1:1.0\nArchitecture: all\nFilename: ./%s.deb\nSize: %d\nSHA256: %x\nDescription: for a test\n\n", control, name, len(b), sha256.Sum256(b))
	}
	if err := os.WriteFile(filepath.Join(dir, "Packages"), []byte(index.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// aptFor is a private apt for that archive. One that is trusted needs no
// signature.
func aptFor(t *testing.T, archive string, trusted bool) *apt {
	t.Helper()
	for _, program := range []string{"apt-get", "apt-cache", "apt-config"} {
		_, err := exec.LookPath(program)
		labtest.Require(t, "apt", err == nil, program+" is not installed")
	}
	acquire, err := aptAcquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	a, err := newApt(dir, distribution{}, "bookworm", "amd64", acquire, standIns)
	if err != nil {
		t.Fatal(err)
	}
	stanza := fmt.Sprintf("Types: deb\nURIs: file:%s\nSuites: ./\n", archive)
	if trusted {
		stanza += "Trusted: yes\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/packages.sources"), []byte(stanza), 0o644); err != nil {
		t.Fatal(err)
	}
	return a
}

// apt finds what a package needs, but for what only prepares an installed
// system; the machine's own packages and sources are none of its affair.
func TestAptFindsWhatAPackageNeeds(t *testing.T) {
	a := aptFor(t, fakeArchive(t), true)
	if err := a.update(t.Context()); err != nil {
		t.Fatal(err)
	}
	plan, err := a.plan(t.Context(), []string{"app"})
	if err != nil {
		t.Fatal(err)
	}
	var got []Package
	for _, f := range plan {
		got = append(got, f.Package)
		if f.bytes <= 0 {
			t.Errorf("%s has %d bytes", f.Name, f.bytes)
		}
	}
	want := []Package{{Name: "app", Version: "1:1.0", Arch: "all"}, {Name: "lib", Version: "1:1.0", Arch: "all"}}
	if !slices.Equal(got, want) {
		t.Errorf("app needs %v, want %v", got, want)
	}
	if !a.knows(t.Context(), "lib") || a.knows(t.Context(), "libc6") {
		t.Error("apt does not know just what its archive has")
	}
	_, err = a.plan(t.Context(), []string{"nonsense"})
	if err == nil || !strings.Contains(err.Error(), "Unable to locate package nonsense") {
		t.Errorf("a package that is not there: %v", err)
	}
}

func TestAptTakesNothingWithoutASignature(t *testing.T) {
	a := aptFor(t, fakeArchive(t), false)
	if err := a.update(t.Context()); err == nil {
		t.Error("apt took the lists of an archive that is not signed")
	}
}

func TestPlannedPackages(t *testing.T) {
	f, err := parseFetch("'file:/x/app_1%3a1.0_all.deb' app_1%3a1.0-2_amd64.deb 1234 SHA256:00\n")
	want := fetch{Package: Package{Name: "app", Version: "1:1.0-2", Arch: "amd64"}, file: "app_1%3a1.0-2_amd64.deb", bytes: 1234}
	if err != nil || f != want {
		t.Errorf("read %+v (%v), want %+v", f, err, want)
	}
	for _, line := range []string{"", "words", "'uri' name.deb 12", "'uri' a_b_c.deb many"} {
		if f, err := parseFetch(line); err == nil {
			t.Errorf("%q was read as %+v", line, f)
		}
	}
}

func TestProgressOfFetching(t *testing.T) {
	var seen []int
	text := "dlstatus:1:0:Retrieving file 1 of 2\npmstatus:x:90:other\ndlstatus:2:51.25:Retrieving file 2 of 2: a:b\nbroken\n"
	readProgress(strings.NewReader(text), func(percent int) { seen = append(seen, percent) })
	if want := []int{0, 51}; !slices.Equal(seen, want) {
		t.Errorf("progress was %v, want %v", seen, want)
	}
}

func TestWhatAptSaysOfAFailure(t *testing.T) {
	err := saidBy(exec.ErrNotFound, "W: a warning\nE: the mirror is away\nE: again\n")
	if want := exec.ErrNotFound.Error() + ": the mirror is away; again"; err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
}
