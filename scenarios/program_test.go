package scenarios_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// program is a running portlab, as a user starts it.
type program struct {
	*exec.Cmd
	stdout, stderr lockedBuffer
}

// lockedBuffer may be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func start(t testing.TB, env []string, args ...string) *program {
	t.Helper()
	return startAs(t, 0, env, args...)
}

// startAs starts portlab as a user, in a folder of that user's.
func startAs(t testing.TB, uid uint32, env []string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(labtest.Binary(t), args...)}
	p.Cmd.Stdout, p.Cmd.Stderr = &p.stdout, &p.stderr
	p.Env = append(os.Environ(), env...)
	p.Dir = t.TempDir()
	if uid != 0 {
		p.Dir = folderOf(t, uid)
		p.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		p.Env = append(p.Env, "HOME="+p.Dir, "XDG_RUNTIME_DIR=", "TMPDIR=")
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill() }) // most have ended by then
	return p
}

// folderOf is a folder of another user's, who may not look into the test's own.
func folderOf(t testing.TB, uid uint32) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "portlab-scenario-") //nolint:usetesting // the test's own folder is closed to others
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, int(uid), int(uid)))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// status waits for the end and gives the exit status; -1 if a signal ended it.
func (p *program) status(t testing.TB) int {
	t.Helper()
	err := p.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return p.ProcessState.ExitCode()
}

// says waits until the program has said something on standard error.
func (p *program) says(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(p.stderr.String(), text); {
		if time.Now().After(end) {
			t.Fatalf("it did not say %q within a minute, but:\n%s", text, p.stderr.String())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// long is a run that takes longer than any of these tests lets it.
var long = []string{"run", "dnat", "--replicas", "2", "--requests", "1000000", "--no-report"}

// onDocker is a command line that leaves no choice of the runtime.
func onDocker(args ...string) []string { return append(args, "--runtime", "docker") }

// same waits until the machine is as it was; the kernel and the guard take a
// moment after a run was killed.
func same(t *testing.T, before labtest.Machine) {
	t.Helper()
	var diff string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if diff = before.Diff(snapshot(t)); diff == "" {
			return
		}
	}
	t.Errorf("the machine is not as it was before:\n%s", diff)
}

// moments at which a run is cut off: while replicas start, while rules are
// made, under load.
var moments = []struct {
	name string
	wait func(*testing.T, *program)
}{
	{"at-once", func(*testing.T, *program) {}},
	{"starting-replicas", func(t *testing.T, p *program) { p.says(t, string(lab.Opening)); time.Sleep(150 * time.Millisecond) }},
	{"exposing", func(t *testing.T, p *program) { p.says(t, string(lab.Exposing)) }},
	{"load", func(t *testing.T, p *program) {
		p.says(t, string(lab.Probing)+": done")
		time.Sleep(100 * time.Millisecond)
	}},
}

func TestKilledRunLeavesNothing(t *testing.T) {
	bench(t, "docker")
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			before := snapshot(t)
			p := start(t, nil, onDocker(long...)...)
			m.wait(t, p)
			if err := p.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if got := p.status(t); got != -1 {
				t.Errorf("exit status %d, want death by SIGKILL\n%s", got, p.stderr.String())
			}
			same(t, before)
		})
	}
}

func TestInterruptedRunLeavesNothing(t *testing.T) {
	bench(t, "docker")
	for _, m := range moments[1:] {
		t.Run(m.name, func(t *testing.T) {
			before := snapshot(t)
			p := start(t, nil, onDocker(long...)...)
			m.wait(t, p)
			if err := p.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if got := p.status(t); got != 130 {
				t.Errorf("exit status %d, want 130\n%s", got, p.stderr.String())
			}
			if diff := before.Diff(snapshot(t)); diff != "" {
				t.Errorf("the machine is not as it was before:\n%s", diff)
			}
		})
	}
}

func TestMainJob(t *testing.T) {
	bench(t, "docker")
	before := snapshot(t)
	p := start(t, nil, "run", "dnat", "--replicas", "2", "--requests", "300", "--format", "json")
	if got := p.status(t); got != 0 {
		t.Fatalf("exit status %d\n%s", got, p.stderr.String())
	}
	var r lab.Result
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		t.Fatalf("standard output is not one JSON object: %v\n%s", err, p.stdout.String())
	}
	if sum := r.Instances[0].Connections + r.Instances[1].Connections; sum != 300 || r.Requests != 300 {
		t.Errorf("%d connections of %d requests, want 300 of 300", sum, r.Requests)
	}
	for _, name := range []string{"report.md", "result.json", "samples.bin.gz"} {
		if _, err := os.Stat(filepath.Join(p.Dir, "portlab-results", "latest", name)); err != nil {
			t.Error(err)
		}
	}
	if diff := before.Diff(snapshot(t)); diff != "" {
		t.Errorf("the machine is not as it was before:\n%s", diff)
	}
}

// Two runs side by side, each with all it needs.
func TestTwoRunsDoNotDisturbEachOther(t *testing.T) {
	bench(t, "docker")
	before := snapshot(t)
	args := []string{"run", "dnat", "--replicas", "2", "--requests", "2000", "--no-report", "--format", "json", "--vantage", "localhost", "--claim", "no loss", "--claim", "shares"}
	a, b := start(t, nil, args...), start(t, nil, args...)
	for _, p := range []*program{a, b} {
		if got := p.status(t); got != 0 {
			t.Errorf("exit status %d\n%s\n%s", got, p.stderr.String(), p.stdout.String())
		}
	}
	if diff := before.Diff(snapshot(t)); diff != "" {
		t.Errorf("the machine is not as it was before:\n%s", diff)
	}
}

func TestTroubleIsSaid(t *testing.T) {
	bench(t, "docker")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, says string
		status     int
		env, args  []string
	}{
		{"port-in-use", "in use by", 3, nil, onDocker("run", "dnat", "--port", port)},
		{"no-engine", "no Docker engine answers", 3, noEngine, onDocker("run", "dnat")},
		{"unknown-strategy", "dnat", 2, nil, []string{"run", "dnta"}},
		{"zero-replicas", "replica", 2, nil, []string{"run", "dnat", "--replicas", "0"}},
		{"more-weights-than-replicas", "weights", 2, nil, []string{"run", "dnat", "--weights", "1,2,3"}},
		{"no-such-image", "portlab.invalid", 4, nil, []string{"run", "dnat", "--image", "portlab.invalid/no-such-image:none", "--image-port", "80"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := snapshot(t)
			p := start(t, c.env, append(c.args, "--no-report")...)
			if got := p.status(t); got != c.status || !strings.Contains(p.stderr.String(), c.says) {
				t.Errorf("exit status %d, want %d and a word of %q\n%s", got, c.status, c.says, p.stderr.String())
			}
			if diff := before.Diff(snapshot(t)); diff != "" {
				t.Errorf("the machine is not as it was before:\n%s", diff)
			}
		})
	}
}

// An engine that dies in mid-run: its socket goes away. The run ends with
// status 4 and says so; what it could not take away, clean does once the
// engine is back.
func TestEngineThatDiesInMidRun(t *testing.T) {
	bench(t, "docker")
	before := snapshot(t)
	path := filepath.Join(t.TempDir(), "docker.sock")
	engine := relay(t, path, "/var/run/docker.sock")
	p := start(t, []string{"DOCKER_HOST=unix://" + path}, onDocker("run", "dnat", "--requests", "20000", "--no-report")...)
	p.says(t, string(lab.Probing)+": done")
	engine.die()
	if got := p.status(t); got != 4 {
		t.Errorf("exit status %d, want 4\n%s", got, p.stderr.String())
	}
	if !strings.Contains(p.stderr.String(), "clean") {
		t.Errorf("it does not say how to clean up:\n%s", p.stderr.String())
	}
	clean := start(t, nil, "clean")
	if got := clean.status(t); got != 0 {
		t.Errorf("clean: exit status %d\n%s", got, clean.stderr.String())
	}
	same(t, before)
}

// relayed is a stand-in for an engine's socket that can be cut off.
type relayed struct {
	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
}

func relay(t *testing.T, path, to string) *relayed {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	r := &relayed{l: l}
	t.Cleanup(r.die)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", to)
			if err != nil {
				in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
	return r
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from) // that it ends is all that matters
	to.Close()
}

func (r *relayed) die() {
	r.l.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
}

// Without iptables there is a word on how to get it. It is hidden in a mount
// namespace of the run's own.
func TestNoIptables(t *testing.T) {
	bench(t, "docker")
	out, err := exec.Command("unshare", "--mount", "sh", "-c",
		`mount -t tmpfs none /etc/alternatives && exec "$0" run dnat --no-report`, labtest.Binary(t)).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || !strings.Contains(string(out), "install iptables") {
		t.Errorf("%v, want exit status 3 and how to install iptables:\n%s", err, out)
	}
}
