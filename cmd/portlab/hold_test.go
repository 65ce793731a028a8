package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab/kernel"
)

// ended is what became of a run that was kept and then told to end.
type ended struct {
	status int
	held   []string // the places that could be entered
	stdout string   // when it was held
	stderr string
}

// kept has a run kept, and ends it by a signal when it says that it is.
func kept(t *testing.T, fake string, args ...string) ended {
	t.Helper()
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("KEPT_BY", dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var e ended
	var stdout bytes.Buffer
	a := fakeApp(func(name string) string { return map[string]string{"FAKE": fake}[name] })
	a.stdout = &stdout
	a.stderr = writerFunc(func(b []byte) (int, error) {
		e.stderr += string(b)
		if strings.Contains(string(b), "portlab enter host") { // the last place of the fake
			e.held, e.stdout = standing(t, dir), stdout.String()
			cancel(interrupt{syscall.SIGTERM})
		}
		return len(b), nil
	})
	e.status = a.run(ctx, append([]string{"run", "client-side", "--vantage", "host", "--requests", "40", "--keep"}, args...))
	if left := standing(t, dir); len(left) > 0 {
		t.Errorf("after the end there are processes at %v", left)
	}
	return e
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// standing are the places at which processes stand that inherited this mark.
func standing(t *testing.T, keptBy string) []string {
	t.Helper()
	all, err := kernel.Standings()
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, s := range all {
		environ, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID) + "/environ")
		if err == nil && bytes.Contains(environ, []byte("KEPT_BY="+keptBy)) {
			places = append(places, s.Place)
		}
	}
	return places
}

func TestAKeptRunStandsUntilASignalThatInterruptsNothing(t *testing.T) {
	for _, runtime := range []string{"docker", "netns"} {
		t.Run(runtime, func(t *testing.T) {
			e := kept(t, "", "--runtime", runtime)
			if e.status != statusMeasured {
				t.Errorf("exit status %d, want that of the result: %s", e.status, e.stderr)
			}
			if !slices.Equal(e.held, []string{"client", "host"}) {
				t.Errorf("it was held at %v", e.held)
			}
			if !strings.Contains(e.stdout, "client-side on "+runtime) {
				t.Errorf("the result was not there while it was held, but %q", e.stdout)
			}
			if strings.Contains(e.stderr, "interrupted") || !strings.HasSuffix(e.stderr, "taking everything back\n") {
				t.Errorf("it says\n%s", e.stderr)
			}
			if _, err := os.Stat("portlab-results/latest/result.json"); err != nil {
				t.Errorf("there is no report: %v", err)
			}
		})
	}
}

func TestAKeptRunEndsWithItsVerdict(t *testing.T) {
	e := kept(t, "silent", "--claim", "every instance answers")
	if e.status != statusRefuted || !strings.Contains(e.stderr, "\nportlab: refuted: every instance answers\n") {
		t.Errorf("exit status %d, want %d: %s", e.status, statusRefuted, e.stderr)
	}
}

// A refusal leaves nothing to keep: the run ends by itself.
func TestARefusedRunIsNotKept(t *testing.T) {
	e := kept(t, "refuses")
	if e.status != statusMeasured || len(e.held) > 0 || !strings.Contains(e.stderr, "report: ") {
		t.Errorf("exit status %d, held at %v: %s", e.status, e.held, e.stderr)
	}
}

// The prompt of a bash says where it is, whatever its start file makes of PS1,
// and says it once.
func TestPromptSaysWhereOneIs(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	c := exec.Command(bash, "-c", `PS1='\w \$ '; eval "$PROMPT_COMMAND"; eval "$PROMPT_COMMAND"; printf %s "$PS1"`)
	c.Env = prompt(kernel.Standing{Run: "k3f7a2", Place: "client"})
	out, err := c.CombinedOutput()
	if want := `[client k3f7a2] \w \$ `; err != nil || string(out) != want {
		t.Errorf("the prompt is %q (%v), want %q", out, err, want)
	}
}
