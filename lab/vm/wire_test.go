package vm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

// wired is the host's end of a wire to an agent of this very process: a machine
// but for QEMU.
func wired(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{qemu: &process{done: make(chan struct{})}}
	theirs, err := m.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.FileConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	served := make(chan error, 1)
	go func() { served <- newAgent(nil).serve(conn) }()
	t.Cleanup(func() {
		m.conn.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return m
}

// runs has a shell carry out a line, and gives its output and exit status.
func runs(t *testing.T, m *Machine, line string, stdin io.Reader) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	status, err := m.Run(t.Context(), Command{Args: []string{"sh", "-c", line}, Stdin: stdin, Stdout: &out, Stderr: &errs, Env: []string{"OF_TEST=yes"}})
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), status
}

func TestRunGivesOutputAndStatus(t *testing.T) {
	m := wired(t)
	for _, c := range []struct {
		line, stdin, stdout, stderr string
		status                      int
	}{
		{line: "echo one; echo two >&2; exit 7", stdout: "one\n", stderr: "two\n", status: 7},
		{line: "cat", stdin: "in\x00and\xffout", stdout: "in\x00and\xffout"},
		{line: "echo $OF_TEST; pwd", stdout: "yes\n/\n"},
		{line: "kill -KILL $$", status: 137},
	} {
		stdout, stderr, status := runs(t, m, c.line, strings.NewReader(c.stdin))
		if stdout != c.stdout || stderr != c.stderr || status != c.status {
			t.Errorf("%s: %q, %q, %d, want %q, %q, %d", c.line, stdout, stderr, status, c.stdout, c.stderr, c.status)
		}
	}
}

// Input that never ends does not keep a command that has.
func TestRunEndsThoughItsInputDoesNot(t *testing.T) {
	m := wired(t)
	never, w := io.Pipe()
	defer w.Close()
	if _, _, status := runs(t, m, "exit 3", never); status != 3 {
		t.Errorf("exit status %d, want 3", status)
	}
}

func TestRunSaysThatAProgramIsNotThere(t *testing.T) {
	m := wired(t)
	_, err := m.Run(t.Context(), Command{Args: []string{"no-such-program"}})
	if _, usage := errors.AsType[*lab.UsageError](err); !usage || !strings.Contains(err.Error(), "no-such-program") {
		t.Errorf("it says %v", err)
	}
}

// A stream is as long as it is, and no command stops another one: here one
// whose output is not taken until the other has ended.
func TestCommandsDoNotDisturbEachOther(t *testing.T) {
	m := wired(t)
	taken, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := m.Run(t.Context(), Command{Args: []string{"head", "-c", "50000000", "/dev/zero"}, Stdout: w})
		w.CloseWithError(err)
	})
	if stdout, _, _ := runs(t, m, "echo quick", nil); stdout != "quick\n" {
		t.Errorf("it said %q", stdout)
	}
	if n, err := io.Copy(io.Discard, taken); n != 50000000 || err != nil {
		t.Errorf("%d bytes came, %v", n, err)
	}
	wg.Wait()
}

// A command that is to end is told so, and may say what it has to say.
func TestRunPassesAnInterruptOn(t *testing.T) {
	m := wired(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said, w := io.Pipe()
	go func() {
		_, _ = said.Read(make([]byte, 1))
		cancel()
		_, _ = io.Copy(io.Discard, said)
	}()
	status, err := m.Run(ctx, Command{Args: []string{"sh", "-c", "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done"}, Stdout: w})
	if status != 5 || err != nil {
		t.Errorf("exit status %d, %v, want 5", status, err)
	}
}

func TestFetchCopiesAFolder(t *testing.T) {
	m := wired(t)
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "new", "folder")
	want := map[string]string{"a": "1", "below/b": "\x00\xff", "below/deeper/c": strings.Repeat("c", 1<<20)}
	for name, text := range want {
		if err := os.MkdirAll(filepath.Join(from, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(from, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Fetch(t.Context(), from, to); err != nil {
		t.Fatal(err)
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(to, name)); err != nil || string(got) != text {
			t.Errorf("%s: %d bytes, %v, want %d", name, len(got), err, len(text))
		}
	}
	if err := m.Fetch(t.Context(), from, to); !errors.Is(err, os.ErrExist) {
		t.Errorf("a second time: %v, want that it overwrites nothing", err)
	}
	if err := m.Fetch(t.Context(), "/no/such/folder", t.TempDir()); err == nil || !strings.Contains(err.Error(), "/no/such/folder") {
		t.Errorf("what is not there: %v", err)
	}
}

// A machine that ends says so to whoever waits for it.
func TestRunEndsWithTheMachine(t *testing.T) {
	m := wired(t)
	_, err := m.qemu.console.Write([]byte("Kernel panic - not syncing"))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() {
		close(m.qemu.done)
		m.conn.Close()
	})
	_, err = m.Run(t.Context(), Command{Args: []string{"sleep", "60"}})
	if err == nil || !strings.Contains(err.Error(), "Kernel panic") {
		t.Errorf("it says %v, want the end of the console", err)
	}
}
