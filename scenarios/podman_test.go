package scenarios_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// podmanConfig is a containers.conf(5) for a machine without systemd and with
// low limits, as docs/runtimes.md has it.
const podmanConfig = `[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
`

// podman starts Podman's service for a test, in folders of its own, and gives
// the environment in which portlab takes it for its engine.
func podman(t *testing.T) []string {
	t.Helper()
	for _, program := range []string{"podman", "runc"} {
		_, err := lab.FindProgram(program)
		labtest.Require(t, "podman", err == nil, "there is no "+program+" on this machine")
	}
	netavark, err := filepath.Glob("/usr/lib*/podman/netavark") // which podman alone looks for
	labtest.Require(t, "podman", err == nil && len(netavark) > 0, "its networks are not netavark's")
	labtest.Require(t, "root", kernel.HasNetAdmin(), "no CAP_NET_ADMIN")
	// The path of a socket must be short (unix(7)), and a test's own folder's may not be.
	dir, err := os.MkdirTemp("/tmp", "podman-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	config, at := filepath.Join(dir, "containers.conf"), "unix://"+filepath.Join(dir, "podman.sock")
	if err := os.WriteFile(config, []byte(podmanConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("podman", "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
		"--tmpdir", filepath.Join(dir, "tmp"), "--storage-driver", "vfs", "system", "service", "--time=0", at)
	var log lockedBuffer
	c.Stdout, c.Stderr, c.Env = &log, &log, append(os.Environ(), "CONTAINERS_CONF="+config)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		_ = c.Wait() // that a signal ended it is no error
	})
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("unix", strings.TrimPrefix(at, "unix://")); err == nil {
			_ = conn.Close()
			return []string{"DOCKER_HOST=" + at}
		}
		if time.Now().After(end) {
			t.Fatalf("Podman's service does not listen:\n%s", log.String())
		}
	}
}

// onPodman runs a strategy on Podman and gives the exit status and the result.
func onPodman(t *testing.T, engine []string, args ...string) (int, lab.Result, string) {
	t.Helper()
	p := start(t, engine, onDocker(append([]string{"run", "--requests", "100", "--no-report", "--format", "json", "--claim", "no loss"}, args...)...)...)
	status := p.status(t)
	var r lab.Result
	if status == 0 {
		if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
			t.Fatalf("%v\n%s", err, p.stderr.String())
		}
	}
	return status, r, p.stderr.String()
}

// Strategies of each kind work on Podman's engine: rules, sockets of the host,
// and what the engine itself publishes. It leaves nothing of a run.
func TestStrategiesOnPodman(t *testing.T) {
	engine := podman(t)
	// Netavark makes its own chains at the first network, and they stay.
	if status, _, said := onPodman(t, engine, "direct"); status != 0 {
		t.Fatalf("exit status %d\n%s", status, said)
	}
	before := snapshot(t)
	for _, args := range [][]string{
		{"dnat"}, {"reuseport-host"}, {"proxy"}, {"reuseport", "--vantage", "host"},
		{"docker-publish", "--replicas", "1", "--vantage", "host"}, {"docker-publish", "--replicas", "1", "--vantage", "localhost"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			status, r, said := onPodman(t, engine, args...)
			if status != 0 || r.Requests != 100 || len(r.Faults) != 0 {
				t.Fatalf("exit status %d, %d requests, faults %v\n%s", status, r.Requests, r.Faults, said)
			}
			if !strings.HasPrefix(r.Environment.Engine, "Podman Engine ") {
				t.Errorf("the engine is said to be %q", r.Environment.Engine)
			}
			same(t, before)
		})
	}
	t.Run("the second publish is refused", func(t *testing.T) {
		status, r, said := onPodman(t, engine, "docker-publish-each")
		if status != 0 || len(r.Verdicts) == 0 || slices.ContainsFunc(r.Verdicts, func(v lab.Verdict) bool { return v.Outcome != lab.RefusedByHost }) {
			t.Errorf("exit status %d, %+v\n%s", status, r.Verdicts, said)
		}
		same(t, before)
	})
	t.Run("a published port from another machine", func(t *testing.T) {
		status, _, said := onPodman(t, engine, "docker-publish", "--replicas", "1")
		policy, err := exec.Command("iptables", "-S", "FORWARD").Output()
		if err != nil {
			t.Fatal(err)
		}
		dropped := strings.HasPrefix(string(policy), "-P FORWARD DROP\n")
		if dropped && (status != 3 || !strings.Contains(said, "Podman's own rules accept answers only")) || !dropped && status != 0 {
			t.Errorf("exit status %d where FORWARD drops: %v\n%s", status, dropped, said)
		}
		same(t, before)
	})
	t.Run("nothing on the engine", func(t *testing.T) {
		for _, path := range []string{"/containers/json?all=1", "/images/json?all=1"} {
			if got := ask(t, engine, path); got != "[]" {
				t.Errorf("GET %s: %s", path, got)
			}
		}
	})
	t.Run("a killed run", func(t *testing.T) {
		p := start(t, engine, onDocker("run", "docker-publish", "--replicas", "1", "--vantage", "host", "--requests", "1000000", "--no-report")...)
		p.says(t, string(lab.Probing)+": done")
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.status(t)
		same(t, before)
		if got := ask(t, engine, "/containers/json?all=1"); got != "[]" {
			t.Errorf("the engine still has %s", got)
		}
	})
}

// ask is what an engine answers, by Docker's API.
func ask(t *testing.T, engine []string, path string) string {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(engine[0], "DOCKER_HOST=unix://"))
		},
	}}
	resp, err := client.Get("http://engine/v1.41" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}
