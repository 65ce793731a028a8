package labtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Binary builds the project's static binary, once in a test process, and gives
// its path. [Main] deletes it at the end.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Main runs a package's tests and then deletes what [Binary] built: for
// TestMain.
func Main(m *testing.M) {
	status := m.Run()
	if buildDir != "" {
		if err := os.RemoveAll(buildDir); err != nil {
			panic(err)
		}
	}
	os.Exit(status)
}

var buildDir string

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "portlab-test-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	path := filepath.Join(dir, "portlab")
	c := exec.Command("go", "build", "-o", path, "github.com/portlab/portlab/cmd/portlab")
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
