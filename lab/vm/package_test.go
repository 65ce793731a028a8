package vm

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
)

// fakeDeb builds a package with these files; one that begins with "#!" can be
// run, one with "-> " is a symbolic link. It returns the path of the package.
func fakeDeb(t *testing.T, control string, files map[string]string) string {
	t.Helper()
	dpkg, err := exec.LookPath("dpkg-deb")
	labtest.Require(t, "dpkg-deb", err == nil, "the program is not installed")
	dir := t.TempDir()
	files["DEBIAN/control"] = "Version: 1:1.0\nArchitecture: all\nMaintainer: test <test@localhost>\nDescription: for a test\n" + control
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, is := strings.CutPrefix(text, "-> "); is {
			err = os.Symlink(target, at)
		} else {
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(text, "#!") {
			if err := os.Chmod(at, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	deb := filepath.Join(t.TempDir(), "fake.deb")
	if out, err := exec.CommandContext(t.Context(), dpkg, "--root-owner-group", "--build", dir, deb).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return deb
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// A package's files come where a system with a merged /usr has them, without
// documents, and as root's that can be run.
func TestPackageIsUnpacked(t *testing.T) {
	deb := fakeDeb(t, "Package: fake\nSection: net\n", map[string]string{
		"bin/tool": "#!/bin/sh\n", "usr/sbin/link": "-> ../bin/tool", "lib/x/libfake.so.1": "library",
		"usr/share/doc/fake/copyright": "words", "usr/share/nginx/page": "kept", "etc/fake.conf": "setting",
	})
	u, err := newUnpacker()
	if err != nil {
		t.Fatal(err)
	}
	root := openRoot(t, t.TempDir())
	if err := u.unpack(t.Context(), deb, root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"usr/bin/tool": "#!/bin/sh\n", "usr/sbin/link": "#!/bin/sh\n", "usr/lib/x/libfake.so.1": "library",
		"usr/share/nginx/page": "kept", "etc/fake.conf": "setting",
	} {
		if got, err := root.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
	if info, err := root.Stat("usr/bin/tool"); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the tool has mode %v (%v), want 0755", info.Mode(), err)
	}
	for _, name := range []string{"bin", "lib", "usr/share/doc"} {
		if _, err := root.Lstat(name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

func TestLibrariesAreKnownByTheirSection(t *testing.T) {
	u, err := newUnpacker()
	labtest.Require(t, "dpkg-deb", err == nil, "the program is not installed")
	for section, want := range map[string]bool{"libs": true, "oldlibs": true, "net": false} {
		deb := fakeDeb(t, "Package: fake\nSection: "+section+"\n", map[string]string{})
		if got, err := u.library(t.Context(), deb); err != nil || got != want {
			t.Errorf("a package of section %s is one of libraries: %v (%v), want %v", section, got, err, want)
		}
	}
}

func TestBrokenPackageIsAnError(t *testing.T) {
	u, err := newUnpacker()
	labtest.Require(t, "dpkg-deb", err == nil, "the program is not installed")
	deb := filepath.Join(t.TempDir(), "broken.deb")
	if err := os.WriteFile(deb, []byte("no package"), 0o644); err != nil {
		t.Fatal(err)
	}
	err = u.unpack(t.Context(), deb, openRoot(t, t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "broken.deb") {
		t.Errorf("unpacking what is no package: %v", err)
	}
}

// tarOf is an archive with these entries.
func tarOf(t *testing.T, entries ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestPackageWritesNothingOutsideItsFolder(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	root := openRoot(t, inside)
	outward := tar.Header{Name: "./etc", Typeflag: tar.TypeSymlink, Linkname: dir}
	through := tar.Header{Name: "./etc/file", Typeflag: tar.TypeReg, Size: 3, Mode: 0o644}
	if err := untar(tarOf(t, outward, through), root); err == nil {
		t.Error("a file was written by way of a link out of the folder")
	}
	up := tar.Header{Name: "../file", Typeflag: tar.TypeReg, Size: 3, Mode: 0o644}
	if err := untar(tarOf(t, up), root); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "file")); err == nil {
		t.Error("a file was written beside the folder")
	}
}

// The same file by two names is one file; a later package's takes an earlier
// one's place.
func TestHardLinksAndReplacedFiles(t *testing.T) {
	root := openRoot(t, t.TempDir())
	err := untar(tarOf(t,
		tar.Header{Name: "./bin/a", Typeflag: tar.TypeReg, Size: 3, Mode: 0o400},
		tar.Header{Name: "./usr/bin/a", Typeflag: tar.TypeReg, Size: 5, Mode: 0o555},
		tar.Header{Name: "./bin/b", Typeflag: tar.TypeLink, Linkname: "./bin/a"},
	), root)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := root.Stat("usr/bin/b"); err != nil || info.Size() != 5 || info.Mode() != fs.FileMode(0o755) {
		t.Errorf("b is %v (%v), want 5 bytes of mode 0755", info, err)
	}
}
