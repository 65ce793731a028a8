package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestPlanOutputMakesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	o, err := planOutput("", false, "dnat", noon)
	if err != nil {
		t.Fatal(err)
	}
	if want := "portlab-results/20260102-120000-dnat"; o.dir != want || o.latest != "portlab-results/latest" {
		t.Errorf("planned %+v, want %s", o, want)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("there is %v (%v), want nothing", left, err)
	}
}

func TestPlanOutputNeverReusesAFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, want := range []string{"", "-2", "-3"} {
		o, err := planOutput("", false, "dnat", noon)
		if err != nil {
			t.Fatal(err)
		}
		if o.dir != "portlab-results/20260102-120000-dnat"+want {
			t.Errorf("planned %s, want the suffix %q", o.dir, want)
		}
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlanOutputRefusesWhatCannotBeWritten(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"full", "empty", "a/b"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"file", "full/file"} {
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for dir, refused := range map[string]bool{
		"new": false, "empty": false, "a/b/c/d": false,
		"full": true, "file": true, "file/below": true,
	} {
		_, err := planOutput(dir, false, "dnat", noon)
		var usage *lab.UsageError
		if errors.As(err, &usage) != refused {
			t.Errorf("%s: %v, want refused %v", dir, err, refused)
		}
	}
}

func TestLinkFollowsTheNewest(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"one", "two"} {
		o := &output{dir: filepath.Join("results", name), latest: "results/latest"}
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := o.link(); err != nil {
			t.Fatal(err)
		}
		if to, err := os.Readlink("results/latest"); err != nil || to != name {
			t.Errorf("latest is %q (%v), want %s", to, err, name)
		}
	}
}

func TestGiveBackGivesAllThatWasMadeToTheUserBehindSudo(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Chdir(t.TempDir())
	if err := os.MkdirAll("results/one", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("one", "results/latest"); err != nil {
		t.Fatal(err)
	}
	sudo := map[string]string{"SUDO_UID": "4711", "SUDO_GID": "4712"}
	if err := giveBack(func(k string) string { return sudo[k] }, "results", "results/latest"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"results", "results/one", "results/latest"} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != 4711 || s.Gid != 4712 {
			t.Errorf("%s belongs to %d:%d", path, s.Uid, s.Gid)
		}
	}
}
