package guard

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// envWorld names the folder that stands for the world in these tests: a file
// RUN.trace is a trace of that run, a file NAME.sysctl a sysctl.
const envWorld = "PORTLAB_TEST_WORLD"

func TestMain(m *testing.M) {
	if ran, err := Child(context.Background(), world(os.Getenv(envWorld)).sweeper()); ran {
		if err != nil {
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "act-run" {
		if err := actRun(lab.RunID(os.Args[2])); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	labtest.Main(m)
}

// actRun is a run that leaves a trace, a changed sysctl and a claim, says so,
// and then waits until it is killed or told to end well.
func actRun(run lab.RunID) error {
	w := world(os.Getenv(envWorld))
	g, err := Start(context.Background(), run, "guard")
	if err != nil {
		return err
	}
	h, ok := Claim("test-" + string(run))
	if !ok {
		return fmt.Errorf("the claim is taken")
	}
	defer h.Close()
	if err := g.Write(lab.Note{Kind: "sysctl", Name: "knob", Before: "0", After: "1"}); err != nil {
		return err
	}
	if err := w.Set("knob", "1"); err != nil {
		return err
	}
	if err := w.leave(run); err != nil {
		return err
	}
	fmt.Println("up", g.cmd.Process.Pid)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return g.Close(context.Background())
}

type world string

func (w world) path(name string) string { return filepath.Join(string(w), name) }

func (w world) leave(run lab.RunID) error {
	return os.WriteFile(w.path(string(run)+".trace"), nil, 0o600)
}

// Get and Set make the world's files the sysctls of a host.
func (w world) Get(name string) (string, error) {
	value, err := os.ReadFile(w.path(name + ".sysctl"))
	if err != nil {
		return "", &lab.UnsupportedError{What: name, Reason: err.Error()}
	}
	return string(value), nil
}

func (w world) Set(name, value string) error {
	return os.WriteFile(w.path(name+".sysctl"), []byte(value), 0o600)
}

func (w world) sweeper() Sweeper {
	return Sweeper{Sysctls: w, Find: []lab.Finder{func(context.Context) ([]lab.Trace, error) {
		names, err := filepath.Glob(w.path("*.trace"))
		var all []lab.Trace
		for _, name := range names {
			id := strings.TrimSuffix(filepath.Base(name), ".trace")
			all = append(all, lab.Trace{
				Run: lab.RunID(id), Kind: lab.FileTrace, Name: name,
				Remove: func(context.Context) error { return os.RemoveAll(name) },
			})
		}
		return all, err
	}}}
}

// runner is a process that does actRun.
type runner struct {
	*exec.Cmd
	guard  string    // its guard's process number
	finish io.Closer // told to end well
}

// startRun starts a run in a process of its own and returns when it is up.
func startRun(t *testing.T, w world, run lab.RunID) runner {
	t.Helper()
	if err := w.Set("knob", "0"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "act-run", string(run))
	cmd.Env = append(os.Environ(), envWorld+"="+string(w))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	word, pid, _ := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || word != "up" {
		t.Fatalf("the run said %q, %v", line, err)
	}
	return runner{Cmd: cmd, guard: pid, finish: in}
}

// eventually waits for something that happens in another process.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("still not so: " + what)
		}
	}
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err)
}
