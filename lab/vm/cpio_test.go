package vm

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab/labtest"
)

// sample is an archive with one entry of each type.
func sample(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	c := newCPIO(&b)
	c.dir("usr", 0o755)
	c.dir("usr/bin", 0o700)
	c.file("usr/bin/hello", 0o751|fs.ModeSetuid, 5, strings.NewReader("12345"))
	c.file("empty", 0o644, 0, strings.NewReader(""))
	c.symlink("bin", "usr/bin")
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What another program unpacks is what was put in.
func TestArchiveIsUnpackedByCpio(t *testing.T) {
	cpio, err := exec.LookPath("cpio")
	labtest.Require(t, "cpio", err == nil, "the program cpio is not installed")
	dir := t.TempDir()
	// Another archive follows, as when a machine starts.
	for _, archive := range [][]byte{sample(t), later(t)} {
		c := exec.CommandContext(t.Context(), cpio, "--extract", "--no-absolute-filenames", "--quiet")
		c.Dir, c.Stdin = dir, bytes.NewReader(archive)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for name, want := range map[string]string{"usr/bin/hello": "12345", "bin/hello": "12345", "empty": "", "init": "later"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]fs.FileMode{"usr/bin": fs.ModeDir | 0o700, "usr/bin/hello": 0o751 | fs.ModeSetuid, "bin": fs.ModeSymlink | 0o777} {
		if i, err := os.Lstat(filepath.Join(dir, name)); err != nil || i.Mode() != want {
			t.Errorf("%s has mode %v (%v), want %v", name, i.Mode(), err, want)
		}
	}
}

func later(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	c := newCPIO(&b)
	c.file("init", 0o755, 5, strings.NewReader("later"))
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArchiveLeavesRoomForTheNext(t *testing.T) {
	if n := len(sample(t)); n%512 != 0 {
		t.Errorf("the archive has %d bytes, no multiple of 512", n)
	}
}

func TestSameContentIsTheSameArchive(t *testing.T) {
	if !bytes.Equal(sample(t), sample(t)) {
		t.Error("two archives of the same files differ")
	}
}

func TestShortFileIsAnError(t *testing.T) {
	c := newCPIO(&bytes.Buffer{})
	c.file("short", 0o644, 10, strings.NewReader("12345"))
	if err := c.close(); err == nil || !strings.Contains(err.Error(), "short") {
		t.Errorf("a file of 5 bytes passed for one of 10: %v", err)
	}
}
