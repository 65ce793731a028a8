package scenarios_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/portlab/portlab/lab"
)

// A server of the user's own does not say who answered: its connections are
// counted from outside, each of them once, and the result says so.
func TestImageOfTheUsersOwn(t *testing.T) {
	bench(t, "docker")
	image := importPlain(t)
	before := snapshot(t)
	p := start(t, nil, "run", "dnat", "--image", image, "--image-port", "3000", "--requests", "500",
		"--format", "json", "--no-report", "--claim", "no loss")
	if got := p.status(t); got != 0 {
		t.Fatalf("exit status %d\n%s", got, p.stderr.String())
	}
	var r lab.Result
	if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
		t.Fatal(err)
	}
	if !r.CountedOutside {
		t.Error("the result does not say that connections were counted from outside")
	}
	sum := 0
	for _, in := range r.Instances {
		sum += in.Connections
	}
	if sum != 500 {
		t.Errorf("%d connections were counted, want 500: %+v", sum, r.Instances)
	}
	same(t, before)
}

// importPlain makes an image of testdata/plain, from scratch.
func importPlain(t *testing.T) string {
	t.Helper()
	dir, tag := t.TempDir(), "portlab-test-plain:latest"
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "plain"), "./testdata/plain")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	sh := exec.Command("sh", "-ec", `tar -c plain | docker import -c 'ENTRYPOINT ["/plain"]' -c 'EXPOSE 3000' - `+tag)
	sh.Dir = dir
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", tag).CombinedOutput(); err != nil {
			t.Errorf("docker rmi: %v\n%s", err, out)
		}
	})
	return tag
}
