package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

func TestDockerImageHasItsSystemOnADisk(t *testing.T) {
	if err := (BuildConfig{Kind: Docker}).programs(); err != nil {
		labtest.Require(t, "vm", false, err.Error())
	}
	b := builderOf(t, BuildConfig{Kind: Docker, Suite: "bookworm", Watch: func(lab.Event) {}}, fakeSystem(t))
	if err := b.writeDocker(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/usr/bin/ip": "#!/bin/sh\n", "/usr/lib/libunlinked.so.1": "library", "/etc/docker/daemon.json": engineConfig,
		"/lib/modules/6.1.0-test/kernel/x/sound.ko": string(fakeModule(t, "depends=")),
	} {
		if got := onDiskFile(t, b.image.Disk, name); got != want {
			t.Errorf("%s on the disk is %q, want %q", name, got, want)
		}
	}
	archive, err := os.ReadFile(b.image.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	if got := entriesOf(t, archive); got["usr/bin/busybox"] == "" || got["usr/bin/ip"] != "" {
		t.Errorf("the initramfs beside the disk has not busybox alone")
	}
	if n, err := allocated(b.image.Disk); err != nil || n > diskRoom/8 {
		t.Errorf("an almost empty disk takes %d bytes (%v)", n, err)
	}
}

func onDiskFile(t *testing.T, disk, name string) string {
	t.Helper()
	debugfs, err := lab.FindProgram("debugfs")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), debugfs, "-R", "cat "+name, disk).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// All files of a disk belong to root, whoever built it.
func TestDiskBelongsToRoot(t *testing.T) {
	if err := (BuildConfig{Kind: Docker}).programs(); err != nil {
		labtest.Require(t, "vm", false, err.Error())
	}
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.MkdirAll(filepath.Join(dir, "a folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a folder", "file")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 4321
		if err := os.Chown(file, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	disk := filepath.Join(t.TempDir(), "disk")
	if err := writeDisk(t.Context(), disk, dir); err != nil {
		t.Fatal(err)
	}
	debugfs, err := lab.FindProgram("debugfs")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), debugfs, "-R", `stat "/a folder/file"`, disk).Output()
	if err != nil || !strings.Contains(string(out), "User:     0   Group:     0") {
		t.Errorf("the file of user %d is on the disk\n%s(%v)", owner, out, err)
	}
}
