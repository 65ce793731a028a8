package vm

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// However a command with a machine ends, and whenever, neither QEMU nor a file
// stays.
func TestEndedCommandLeavesNoMachine(t *testing.T) {
	c := tiny(t)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
		for _, moment := range []string{"starting", "running"} {
			t.Run(signal.String()+"-"+moment, func(t *testing.T) { endedAt(t, c, signal, moment) })
		}
	}
}

func endedAt(t *testing.T, c Config, signal syscall.Signal, moment string) {
	temporary := t.TempDir()
	before := below(t, c.Image.Dir)
	p := exec.Command(c.Binary, "vm", "run", "--image", c.Image.Name, "--", "sh", "-c", "echo running; sleep 1000")
	p.Env = append(os.Environ(), "TMPDIR="+temporary)
	var stderr bytes.Buffer
	p.Stderr = &stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Process.Kill() //nolint:errcheck // it has ended by then, but for a test that failed
	qemu := awaitChild(t, p.Process.Pid)
	if moment == "running" {
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatalf("it did not run: %v\n%s", err, stderr.String())
		}
	}
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // its status says it
	if got := p.ProcessState.ExitCode(); signal == syscall.SIGINT && got != 130 {
		t.Errorf("exit status %d after %s, want 130\n%s", got, signal, stderr.String())
	}
	for end := time.Now().Add(30 * time.Second); unix.Kill(qemu, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("QEMU lives on as process %d", qemu)
		}
	}
	if left := below(t, temporary); len(left) > 0 {
		t.Errorf("there are files still: %v", left)
	}
	if after := below(t, c.Image.Dir); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the image's folder has %v, and had %v", after, before)
	}
}

// awaitChild waits until a process has started QEMU.
func awaitChild(t *testing.T, pid int) int {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		lists, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range lists {
			text, _ := os.ReadFile(list) // a thread may just have ended
			for child := range strings.FieldsSeq(string(text)) {
				name, _ := os.ReadFile("/proc/" + child + "/comm")
				if n, err := strconv.Atoi(child); err == nil && strings.HasPrefix(string(name), "qemu") {
					return n
				}
			}
		}
	}
	t.Fatal("it started no QEMU within a minute")
	return 0
}

// below are the files below a folder.
func below(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if path != dir {
			all = append(all, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return all
}
