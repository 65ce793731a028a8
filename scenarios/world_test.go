package scenarios_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// What the embedded runtime promises: a lab for everybody, of which the
// machine sees nothing.

// nobody is an ordinary user with no right to anything.
const nobody = 65534

// noEngine has no engine answer.
var noEngine = []string{"DOCKER_HOST=unix:///nonexistent.sock"}

// asEachUser runs a test as root and as an ordinary user.
func asEachUser(t *testing.T, f func(t *testing.T, uid uint32)) {
	bench(t, "netns")
	for _, uid := range []uint32{0, nobody} {
		t.Run(fmt.Sprint("uid-", uid), func(t *testing.T) {
			rootless(t, uid)
			f(t, uid)
		})
	}
}

// rootless skips a test as a user where the system lets none make namespaces.
func rootless(t *testing.T, uid uint32) {
	t.Helper()
	if uid == 0 {
		return
	}
	p := startAs(t, uid, noEngine, "run", "reuseport-host", "--runtime", "netns", "--requests", "1", "--no-report")
	labtest.Require(t, "rootless", p.status(t) != 3, p.stderr.String())
}

func TestMainJobWithNoEngine(t *testing.T) {
	asEachUser(t, func(t *testing.T, uid uint32) {
		before := snapshot(t)
		p := startAs(t, uid, noEngine, "run", "dnat", "--replicas", "2", "--requests", "300", "--format", "json")
		if got := p.status(t); got != 0 {
			t.Fatalf("exit status %d\n%s", got, p.stderr.String())
		}
		var r lab.Result
		if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
			t.Fatalf("standard output is not one JSON object: %v\n%s", err, p.stdout.String())
		}
		if sum := r.Instances[0].Connections + r.Instances[1].Connections; sum != 300 || r.Runtime != "netns" || r.ClientAddress != lab.AddressKept {
			t.Errorf("%d connections on %s, client address %s", sum, r.Runtime, r.ClientAddress)
		}
		if said := p.stderr.String(); !strings.Contains(said, "runtime: netns") || !strings.Contains(said, "nonexistent.sock") {
			t.Errorf("it does not say which runtime it took, and why:\n%s", said)
		}
		for _, name := range []string{"report.md", "result.json", "samples.bin.gz"} {
			info, err := os.Stat(filepath.Join(p.Dir, "portlab-results", "latest", name))
			if err != nil {
				t.Error(err)
			} else if owner := info.Sys().(*syscall.Stat_t).Uid; owner != uid {
				t.Errorf("%s belongs to user %d, not to %d, who ran it", name, owner, uid)
			}
		}
		same(t, before)
	})
}

// However a run ends, and whenever, the machine is as it was, and it was so
// all the time.
func TestEndedWorldLeavesNothing(t *testing.T) {
	asEachUser(t, func(t *testing.T, uid uint32) {
		for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} {
			for _, m := range moments {
				t.Run(fmt.Sprint(signal, "-", m.name), func(t *testing.T) {
					before := snapshot(t)
					p := startAs(t, uid, noEngine, append(long, "--runtime", "netns")...)
					m.wait(t, p)
					during := snapshot(t)
					if err := p.Process.Signal(signal); err != nil {
						t.Fatal(err)
					}
					got := p.status(t)
					if signal == syscall.SIGINT && got != 130 && m.name != "at-once" || signal == syscall.SIGKILL && got != -1 {
						t.Errorf("exit status %d after %s\n%s", got, signal, p.stderr.String())
					}
					same(t, before)
					for _, its := range []string{"processes of runs", "namespaces"} {
						delete(before, its)
						delete(during, its)
					}
					if d := before.Diff(during); d != "" {
						t.Errorf("the machine was changed during the run:\n%s", d)
					}
				})
			}
		}
	})
}

// What a user's own rules say does not matter in the lab: here they drop
// everything, in a namespace that stands for the machine.
func TestRulesOfTheMachineDoNotDisturb(t *testing.T) {
	bench(t, "netns")
	out, err := exec.Command("unshare", "--net", "sh", "-ec", `
		iptables -P INPUT DROP; iptables -P FORWARD DROP; iptables -P OUTPUT DROP
		ip6tables -P INPUT DROP; ip6tables -P FORWARD DROP; ip6tables -P OUTPUT DROP
		iptables -t nat -A OUTPUT -p tcp -j REDIRECT --to-ports 1
		before=$(iptables-save | grep -v '^#')
		"$0" run dnat --runtime netns --no-report --claim "no loss"
		test "$before" = "$(iptables-save | grep -v '^#')"`, labtest.Binary(t)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Kept up, the lab can be entered at every place, by the user whose it is,
// until it is told to end.
func TestKeptWorldCanBeEntered(t *testing.T) {
	asEachUser(t, func(t *testing.T, uid uint32) {
		before := snapshot(t)
		kept := startAs(t, uid, noEngine, "run", "dnat", "--keep", "--runtime", "netns", "--requests", "10", "--no-report")
		kept.says(t, "portlab enter client")
		enter := func(words ...string) string {
			p := startAs(t, uid, nil, append([]string{"enter"}, words...)...)
			if got := p.status(t); got != 0 {
				t.Errorf("enter %q: exit status %d\n%s", words, got, p.stderr.String())
			}
			return p.stdout.String()
		}
		if got := enter("client", "--", "curl", "-sS", "-m", "5", "http://198.19.0.1:8080/"); !strings.HasPrefix(got, "Hello from ") {
			t.Errorf("the client hears %q", got)
		}
		if got := enter("host", "--", "iptables", "-t", "nat", "-S"); !strings.Contains(got, "--to-destination 198.18.0.2:80") {
			t.Errorf("the host has other rules:\n%s", got)
		}
		if got := enter("bar", "--", "ip", "-4", "addr", "show", "eth0"); !strings.Contains(got, "198.18.0.3/") {
			t.Errorf("bar has another address:\n%s", got)
		}
		if err := kept.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if got := kept.status(t); got != 0 {
			t.Errorf("exit status %d, want that of the result\n%s", got, kept.stderr.String())
		}
		same(t, before)
		if p := startAs(t, uid, nil, "enter", "client"); p.status(t) != 3 {
			t.Errorf("what is gone was entered:\n%s", p.stderr.String())
		}
	})
}

// In a container it runs with the rights that the documents name, and with
// fewer it says what is missing.
func TestWorldInAContainer(t *testing.T) {
	bench(t, "docker")
	image := importBinaries(t)
	for name, c := range map[string]struct {
		rights []string
		status int
	}{
		"none":         {nil, 3},
		"one":          {[]string{"--cap-add", "SYS_ADMIN"}, 3},
		"capabilities": {[]string{"--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "apparmor=unconfined"}, 0},
		"a user": {[]string{"--user", "1000", "--security-opt", "seccomp=unconfined",
			"--security-opt", "systempaths=unconfined", "--security-opt", "apparmor=unconfined"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			// Without a network of the engine's: its default bridge stays up for a
			// moment after its last container, which the next test would take for ours.
			words := append([]string{"run", "--rm", "--network", "none"}, c.rights...)
			words = append(words, image, "run", "reuseport-fd", "--no-report", "--claim", "no loss")
			run := exec.Command("docker", words...)
			out, _ := run.CombinedOutput() // its status says it
			if got := run.ProcessState.ExitCode(); got != c.status || c.status == 3 && !strings.Contains(string(out), "--cap-add") {
				t.Errorf("exit status %d, want %d\n%s", got, c.status, out)
			}
		})
	}
}

// importBinaries makes an image of the project's binaries and nothing else.
func importBinaries(t *testing.T) string {
	t.Helper()
	name := "portlab-test-" + string(lab.NewRunID())
	tar := exec.Command("tar", "-C", filepath.Dir(labtest.Binary(t)), "-c", "portlab", "http_server")
	pipe, err := tar.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	load := exec.Command("docker", "import", "-c", `ENTRYPOINT ["/portlab"]`, "-", name)
	load.Stdin = pipe
	if err := tar.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := tar.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("docker", "rmi", name).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	})
	return name
}

// A thousand replicas: every one of them starts, answers, and goes. The table
// of neighbours that all namespaces share does not get full of them.
func TestThousandReplicas(t *testing.T) {
	asEachUser(t, aThousand)
}

func aThousand(t *testing.T, uid uint32) {
	before, full := snapshot(t), tableFulls(t)
	p := startAs(t, uid, nil, "run", "dnat", "--runtime", "netns", "--replicas", "1000", "--requests", "20000", "--concurrency", "8",
		"--format", "json", "--no-report", "--claim", "no loss", "--claim", "every instance answers")
	if got := p.status(t); got != 0 {
		t.Errorf("exit status %d\n%s\n%s", got, p.stderr.String(), p.stdout.String())
	}
	if n := tableFulls(t) - full; n > 0 {
		t.Errorf("%d times the machine's table of neighbours was full", n)
	}
	same(t, before)
}

// tableFulls is how often the table of IPv4 neighbours was too full to take
// another: the last column of /proc/net/stat/arp_cache, one line for each CPU.
func tableFulls(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/net/stat/arp_cache")
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if n, err := strconv.ParseUint(fields[len(fields)-1], 16, 64); err == nil {
			sum += n
		}
	}
	return sum
}
