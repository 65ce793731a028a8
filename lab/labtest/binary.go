package labtest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Binary builds the project's static binary, once in a test process, and gives
// its path; http_server stands beside it. [Main] deletes it at the end.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main runs a package's tests while no other package's do that touch the
// machine, so that each sees its own traces only; then it deletes what
// [Binary] built. It is for TestMain.
func Main(m *testing.M) { os.Exit(InTurn{m}.Run()) }

// InTurn is a package's tests, for a TestMain that does not end with [Main].
type InTurn struct{ *testing.M }

// Run runs the tests as [Main] does, and returns their exit status.
func (t InTurn) Run() int {
	if fuzzWorker() {
		return t.M.Run() // its parent has the turn, and waits for it
	}
	release, err := alone(20 * time.Minute)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	status := t.M.Run()
	if buildDir != "" {
		if err := os.RemoveAll(buildDir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	release()
	return status
}

// fuzzWorker says whether this process was started by go test -fuzz to do a
// part of its work.
func fuzzWorker() bool { return slices.Contains(os.Args, "-test.fuzzworker") }

// alone waits for its turn. The turn is an abstract Unix socket (unix(7)):
// however the tests end, the kernel passes it on, and no file stays.
func alone(patience time.Duration) (release func(), err error) {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		l, err := net.Listen("unix", "@portlab-tests-of-the-machine")
		if err == nil {
			return func() { _ = l.Close() }, nil // a lost turn is given up by the end of the process
		}
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(end) {
			return nil, fmt.Errorf("wait for other tests that touch this machine: %w", err)
		}
	}
}

var buildDir string

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "portlab-test-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	// Another user must be able to start it, too.
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "portlab")
	c := exec.Command("go", "build", "-o", dir, "github.com/portlab/portlab/cmd/portlab", "github.com/portlab/portlab/cmd/http_server")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return "", &buildError{string(out), err}
	}
	return path, nil
})

type buildError struct {
	output string
	err    error
}

func (e *buildError) Error() string {
	return "build the project's binary: " + e.err.Error() + "\n" + e.output
}
