package scenarios_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/stat"
)

// hardlyChance is a probability so low that what has it is taken for a fault.
const hardlyChance = 1e-6

// TestDemo does what docs/demo.md says, command by command, on machines that
// Vagrant starts. Each command has to succeed, or to fail with the exit status
// that the document shows, and where the document shows who answered how often,
// the same instances answer as often but for chance. No time is judged: the
// machines may be emulated.
func TestDemo(t *testing.T) {
	labtest.Require(t, "vagrant", os.Getenv("PORTLAB_BOX_ACCEL") != "", "make test-vagrant starts machines for it")
	w := walk{config: filepath.Join(t.TempDir(), "ssh_config")}
	steps := demo(t)
	begun := time.Now()
	for i, s := range steps {
		at := time.Now()
		out, status := w.do(t, s)
		t.Logf("%s$ %s\n%s(exit status %d after %.1f s)", s.at, s.line, out, status, time.Since(at).Seconds())
		if want := wanted(t, steps[i:]); status != want {
			t.Fatalf("the exit status is not %d", want)
		}
		if err := unlike(counts(s.shown), counts(strings.Split(out, "\n"))); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d commands in %.0f s", len(steps), time.Since(begun).Seconds())
}

// wanted is the exit status that the first of the steps is to have: 0, unless
// the next one asks for it.
func wanted(t *testing.T, steps []typed) int {
	t.Helper()
	if len(steps) < 2 || steps[1].line != "echo $?" {
		return 0
	}
	status, err := strconv.Atoi(strings.TrimSpace(strings.Join(steps[1].shown, "")))
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// unlike says how what was counted differs from what the document shows, if they
// are not two draws of one law.
func unlike(shown, got map[string]int) error {
	names := slices.Sorted(maps.Keys(shown))
	if len(names) == 0 {
		return nil
	}
	one := len(shown) == 1 && len(got) == 1 // which of them got all is chance
	if !one && !slices.Equal(names, slices.Sorted(maps.Keys(got))) {
		return fmt.Errorf("%v answered, and %v in the document", got, shown)
	}
	table, sums := make([][]int, 2), make([]int, 2)
	for i, counted := range []map[string]int{shown, got} {
		for _, name := range slices.Sorted(maps.Keys(counted)) {
			table[i] = append(table[i], counted[name])
			sums[i] += counted[name]
		}
	}
	if sums[0] != sums[1] {
		return fmt.Errorf("%d answers, and %d in the document", sums[1], sums[0])
	}
	if one {
		return nil
	}
	of, err := stat.IndependenceTest(table, 0.95, 1)
	if err == nil && of.P < hardlyChance {
		err = fmt.Errorf("%v answered, and %v in the document: p = %.2g", got, shown, of.P)
	}
	return err
}

func TestUnlike(t *testing.T) {
	shown := map[string]int{"foo": 149, "bar": 151}
	for _, c := range []struct {
		shown, got map[string]int
		differ     bool
	}{
		{nil, map[string]int{"foo": 300}, false}, // the document shows no counts
		{shown, map[string]int{"foo": 165, "bar": 135}, false},
		{shown, map[string]int{"foo": 75, "bar": 225}, true},
		{shown, map[string]int{"foo": 300}, true},
		{shown, map[string]int{"foo": 149, "bar": 150}, true},
		{shown, nil, true},
		{map[string]int{"foo": 300}, map[string]int{"bar": 300}, false},
		{map[string]int{"foo": 300}, map[string]int{"bar": 299}, true},
		{map[string]int{"foo": 300}, shown, true},
	} {
		if err := unlike(c.shown, c.got); (err != nil) != c.differ {
			t.Errorf("shown %v, got %v: %v", c.shown, c.got, err)
		}
	}
}

// walk carries steps out: on this machine, or by ssh on Vagrant's.
type walk struct {
	config string // a file for ssh
	kept   *exec.Cmd
	keys   io.WriteCloser // what is typed at the kept command's terminal
	rest   chan string    // what the kept command says after it says that it is kept
}

// do gives the output and the exit status of a step.
func (w *walk) do(t *testing.T, s typed) (string, int) {
	t.Helper()
	switch {
	case s.line == interrupt:
		return w.end(t)
	case s.line == "echo $?":
		return strings.Join(s.shown, "\n") + "\n", 0 // was held against the command before
	case s.at == "you":
		c := exec.CommandContext(t.Context(), "sh", "-c", s.line)
		c.Dir = ".."
		return finish(t, c)
	case s.keeps():
		return w.begin(t, s)
	}
	return finish(t, w.ssh(t, s))
}

func finish(t *testing.T, c *exec.Cmd) (string, int) {
	t.Helper()
	out, err := c.CombinedOutput()
	return asLines(out), statusOf(t, c, err)
}

// asLines is an output without what is for a terminal: the ends of its lines, and
// what was overwritten since, such as progress.
func asLines(out []byte) string {
	var lines strings.Builder
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\r\n")
		line = line[strings.LastIndexByte(line, '\r')+1:]
		lines.WriteString(strings.TrimPrefix(line, "\x1b[K") + "\n")
	}
	return lines.String()
}

func statusOf(t *testing.T, c *exec.Cmd, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// ssh is a command on one of Vagrant's machines, with flags for ssh(1).
func (w *walk) ssh(t *testing.T, s typed, flags ...string) *exec.Cmd {
	t.Helper()
	if _, err := os.Stat(w.config); err != nil {
		config, err := exec.CommandContext(t.Context(), "vagrant", "ssh-config", "host", "client").Output()
		if err == nil {
			err = os.WriteFile(w.config, config, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	words := append([]string{"-F", w.config}, flags...)
	return exec.CommandContext(t.Context(), "ssh", append(words, s.at, "--", s.line)...)
}

// begin starts a command that lasts, at a terminal, and returns what it says
// until it says that it is kept.
func (w *walk) begin(t *testing.T, s typed) (string, int) {
	t.Helper()
	w.kept = w.ssh(t, s, "-tt")
	out, err := w.kept.StdoutPipe()
	if err == nil {
		w.keys, err = w.kept.StdinPipe()
	}
	if err == nil {
		err = w.kept.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewReader(out)
	for err == nil {
		var line string
		line, err = lines.ReadString('\n')
		said.WriteString(line)
		if strings.Contains(line, "is kept until Ctrl-C") {
			w.rest = make(chan string, 1)
			go func() {
				b, _ := io.ReadAll(lines) // its end is the command's, whose exit status is looked at
				w.rest <- asLines(b)
			}()
			return asLines([]byte(said.String())), 0
		}
	}
	return said.String(), statusOf(t, w.kept, w.kept.Wait())
}

// end types Ctrl-C at the terminal of the command that is kept.
func (w *walk) end(t *testing.T) (string, int) {
	t.Helper()
	if _, err := w.keys.Write([]byte{'C' - '@'}); err != nil {
		t.Fatal(err)
	}
	said := <-w.rest
	return said, statusOf(t, w.kept, w.kept.Wait())
}
