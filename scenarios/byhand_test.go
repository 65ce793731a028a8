package scenarios_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/scenarios"
	"github.com/portlab/portlab/strategies"
)

// explained is the part of `portlab explain --format json` that can be pasted.
type explained struct {
	Facts lab.Facts `json:"facts"`
	Front lab.Front `json:"front"`
	Shell []string  `json:"shell"`
	Undo  []string  `json:"undo"`
	// HostShell is the prefix of a command on the host, if it takes one.
	HostShell string `json:"host_shell"`
}

// What explain prints, pasted into a shell, answers another machine, or the host
// where that is all that the strategy serves; what it prints to undo that leaves
// the machine as it was.
func TestCommandsByHand(t *testing.T) {
	inEachRuntime(t, func(t *testing.T, b scenarios.Bench) {
		for _, s := range strategies.All() {
			_, direct := s.(lab.Targeter)
			if direct || s.Needs().Publish == lab.PublishEach {
				continue // there is no front to call, or what is printed is refused by design
			}
			for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
				t.Run(fmt.Sprintf("%s-%d", s.Name(), ip), func(t *testing.T) {
					supported(t, b, s.Name(), ip)
					at := lab.External
					if s.Needs().WhyNotFrom(at, ip) != "" {
						at = lab.OnHost
					}
					worksByHand(t, s.Name(), at, "--runtime", b.Runtime.Name(), "--ip", fmt.Sprint(int(ip)))
				})
			}
		}
	})
}

// So it does where the replicas are on links on a parent.
func TestLinksByHand(t *testing.T) {
	inEachRuntime(t, func(t *testing.T, b scenarios.Bench) {
		for _, k := range []lab.LinkKind{lab.LinkMacvlan, lab.LinkIPvlan} {
			for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
				t.Run(fmt.Sprintf("%s-%d", k, ip), func(t *testing.T) {
					supported(t, b, "dnat", ip)
					requireLink(t, b, k)
					worksByHand(t, "dnat", lab.External, "--runtime", b.Runtime.Name(), "--ip", fmt.Sprint(int(ip)), "--link", string(k))
				})
			}
		}
	})
}

// requireLink skips t where a runtime's kernel has no links of a kind.
func requireLink(t *testing.T, b scenarios.Bench, k lab.LinkKind) {
	t.Helper()
	h, err := b.Runtime.Host(t.Context())
	if err == nil {
		err = h.(lab.Linker).CheckLink(t.Context(), k)
	}
	labtest.Require(t, string(k), err == nil, fmt.Sprint(err))
}

// worksByHand pastes what explain prints of a strategy, calls the front from a
// vantage, and pastes what takes it back.
func worksByHand(t *testing.T, strategy string, at lab.Vantage, flags ...string) {
	t.Helper()
	before := snapshot(t)
	x := explain(t, strategy, append(flags, "--vantage", string(at))...)
	dir := workbench(t)
	t.Cleanup(func() {
		if t.Failed() {
			undoAll(t, dir, x.Undo)
		}
	})
	paste(t, dir, x.Shell)
	from := strings.Fields("ip netns exec " + x.Facts.Run.Object("client"))
	if at == lab.OnHost {
		from = strings.Fields(x.HostShell)
	}
	if got := call(t, from, x.Front.At(at)); !strings.HasPrefix(got, "Hello from ") {
		t.Errorf("a client at %s gets %q", at, got)
	}
	paste(t, dir, x.Undo)
	same(t, before)
}

func explain(t testing.TB, strategy string, flags ...string) explained {
	t.Helper()
	p := start(t, nil, append([]string{"explain", strategy, "--format", "json"}, flags...)...)
	if got := p.status(t); got != 0 {
		t.Fatalf("exit status %d\n%s", got, p.stderr.String())
	}
	var x explained
	if err := json.Unmarshal([]byte(p.stdout.String()), &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// workbench is a folder as a clone of the project is after `make build`.
func workbench(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(labtest.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin", "portlab"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// paste gives lines to a shell that stops at the first that fails. What it
// starts in the background must not hold its output.
func paste(t testing.TB, dir string, lines []string) {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	sh := shell(dir, lines...)
	sh.Stdout, sh.Stderr = log, log
	if err := sh.Run(); err != nil {
		said, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s", err, said)
	}
}

// shell is a shell on a workbench that is given lines.
func shell(dir string, lines ...string) *exec.Cmd {
	sh := exec.Command("sh", "-e")
	sh.Stdin, sh.Dir = strings.NewReader(strings.Join(lines, "\n")+"\n"), dir
	// The programs that make tools built stand beside the project's own.
	tools := filepath.Dir(os.Getenv("PORTLAB_DOCKER_PROXY"))
	sh.Env = append(os.Environ(), "PATH="+strings.Join([]string{filepath.Join(dir, "bin"), tools, os.Getenv("PATH")}, ":"))
	return sh
}

// undoAll takes back what a test that failed on the way has left, whatever fails
// of it: each command by itself, since some have nothing to take back.
func undoAll(t testing.TB, dir string, lines []string) {
	t.Helper()
	for _, line := range lines {
		if out, err := shell(dir, line).CombinedOutput(); err != nil {
			t.Logf("undo %q: %v: %s", line, err, out)
		}
	}
}

// call asks the front from a place, by the prefix of a command there, until it
// answers with no error: a proxy that listens may not know its replicas yet.
func call(t *testing.T, from []string, at netip.AddrPort) string {
	t.Helper()
	var out []byte
	var err error
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		words := append(slices.Clone(from), "curl", "-sS", "-f", "-m", "2", "http://"+at.String()+"/")
		curl := exec.Command(words[0], words[1:]...)
		if out, err = curl.CombinedOutput(); err == nil {
			return string(out)
		}
	}
	return fmt.Sprintf("%s (%v)", out, err)
}
