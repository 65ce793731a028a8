package scenarios_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/compare"
	"github.com/portlab/portlab/lab/labtest"
)

// fromFar is a run on docker whose client is on another machine.
func fromFar(args ...string) []string {
	return append(args, "--client-via", "ssh:far", "--runtime", "docker", "--no-report")
}

// TestAnotherMachineCallsTheFront holds a run whose client came by ssh to the
// same as one whose client is the lab's own. What a proxy does to the client's
// address it does to this one, too.
func TestAnotherMachineCallsTheFront(t *testing.T) {
	bench(t, "docker")
	m := newFarMachine(t)
	for strategy, address := range map[string]lab.ClientAddress{
		"dnat": lab.AddressKept, "docker-publish": lab.AddressKept, "reuseport-host": lab.AddressKept, "tcp-proxy": lab.AddressLost,
	} {
		t.Run(strategy, func(t *testing.T) {
			before := snapshot(t)
			p := start(t, m.env, fromFar("run", strategy, "--requests", "300", "--format", "json", "--claim", "no loss")...)
			if got := p.status(t); got != 0 {
				t.Fatalf("exit status %d\n%s", got, p.stderr.String())
			}
			var r lab.Result
			if err := json.Unmarshal([]byte(p.stdout.String()), &r); err != nil {
				t.Fatal(err)
			}
			if r.Front.Address != m.near || r.Connections != 300 || r.ClientAddress != address {
				t.Errorf("%d connections to %s, the client's address %s: want 300 to %s, %s", r.Connections, r.Front.Address, r.ClientAddress, m.near, address)
			}
			for _, in := range r.Instances {
				if in.Connections > 0 && (address == lab.AddressKept) != slices.Equal(in.Clients, []string{m.far.String()}) {
					t.Errorf("%s saw %v, and the client is %s", in.Name, in.Clients, m.far)
				}
			}
			if r.Client.Machine == nil || !r.Client.Machine.SharesKernel || r.Client.Machine.CPUs < 1 {
				t.Errorf("the client's machine is %+v", r.Client.Machine)
			}
			if !strings.Contains(strings.Join(r.Command, " "), "--client-via ssh:far") {
				t.Errorf("the command that repeats it is %q", r.Command)
			}
			if said := p.stderr.String(); !strings.Contains(said, "client: 198.19.255.2 on far; portlab was copied there") ||
				!strings.Contains(said, "of 198.19.255.1 is open to all who can reach that address") {
				t.Errorf("it says\n%s", said)
			}
			m.left(t)
			if diff := before.Diff(snapshot(t)); diff != "" {
				t.Errorf("the machine is not as it was before:\n%s", diff)
			}
		})
	}
}

// TestComparisonFromAnotherMachine has one connection for all of its runs, and
// leaves out the baselines that only this machine can call.
func TestComparisonFromAnotherMachine(t *testing.T) {
	bench(t, "docker")
	m := newFarMachine(t)
	before := snapshot(t)
	p := start(t, m.env, fromFar("compare", "dnat", "docker-publish", "--rounds", "2", "--requests", "100", "--format", "json")...)
	if got := p.status(t); got != 0 {
		t.Fatalf("exit status %d\n%s", got, p.stderr.String())
	}
	var c compare.Comparison
	if err := json.Unmarshal([]byte(p.stdout.String()), &c); err != nil {
		t.Fatal(err)
	}
	taking := map[string]bool{}
	for _, arm := range c.Arms {
		taking[arm.Name] = arm.Absent == ""
		if !taking[arm.Name] && !strings.Contains(arm.Absent, "only this machine knows a way") {
			t.Errorf("%s is left out since %s", arm.Name, arm.Absent)
		}
	}
	if want := map[string]bool{"client-side": false, "direct": false, "dnat": true, "docker-publish": true}; !maps.Equal(taking, want) {
		t.Errorf("the arms are %v, want %v", taking, want)
	}
	for _, round := range c.Rounds {
		if len(round.Runs) != 2 {
			t.Errorf("round %d has %d runs, want 2", round.Number, len(round.Runs))
		}
	}
	if len(c.Rounds) != 2 || !strings.Contains(strings.Join(c.Environment.Notes, "\n"), "The client had a network of its own") {
		t.Errorf("%d rounds in %+v", len(c.Rounds), c.Environment)
	}
	m.left(t)
	if diff := before.Diff(snapshot(t)); diff != "" {
		t.Errorf("the machine is not as it was before:\n%s", diff)
	}
}

// TestAnotherMachineIsLeftAsItWas ends runs in every way while load is offered
// from there.
func TestAnotherMachineIsLeftAsItWas(t *testing.T) {
	bench(t, "docker")
	m := newFarMachine(t)
	for name, end := range map[string]struct {
		signal syscall.Signal
		status int
	}{"interrupted": {syscall.SIGINT, 130}, "killed": {syscall.SIGKILL, -1}} {
		t.Run(name, func(t *testing.T) {
			before := snapshot(t)
			p := start(t, m.env, fromFar("run", "dnat", "--requests", "1000000")...)
			p.says(t, string(lab.Probing)+": done")
			if err := p.Process.Signal(end.signal); err != nil {
				t.Fatal(err)
			}
			if got := p.status(t); got != end.status {
				t.Errorf("exit status %d, want %d\n%s", got, end.status, p.stderr.String())
			}
			m.left(t)
			same(t, before)
		})
	}
}

// TestAConnectionThatBreaksEndsTheRun has the other machine's sshd drop it.
func TestAConnectionThatBreaksEndsTheRun(t *testing.T) {
	bench(t, "docker")
	m := newFarMachine(t)
	before := snapshot(t)
	p := start(t, m.env, fromFar("run", "dnat", "--requests", "1000000")...)
	p.says(t, string(lab.Probing)+": done")
	m.drop(t)
	if got := p.status(t); got != 4 {
		t.Errorf("exit status %d, want 4\n%s", got, p.stderr.String())
	}
	if said := p.stderr.String(); !strings.Contains(said, "the client's process ended") {
		t.Errorf("it says\n%s", said)
	}
	m.left(t)
	same(t, before)
}

// TestAKeptFrontIsCalledFromAnotherMachine is the way without ssh: a run that
// is kept says what to call, and it is called.
func TestAKeptFrontIsCalledFromAnotherMachine(t *testing.T) {
	bench(t, "docker")
	m := newFarMachine(t)
	before := snapshot(t)
	kept := start(t, nil, onDocker("run", "dnat", "--front-address", m.near.String(), "--keep", "--no-report")...)
	kept.says(t, "portlab enter host")
	said := regexp.MustCompile(`from another machine, meanwhile: portlab load (http://198\.19\.255\.1:\d+/)\n`).FindStringSubmatch(kept.stderr.String())
	if said == nil {
		t.Fatalf("it does not say what to call:\n%s", kept.stderr.String())
	}
	var out bytes.Buffer
	load := exec.Command(labtest.Binary(t), "load", said[1], "--requests", "300", "--instances", "foo,bar", "--format", "json", "--no-report", "-q")
	load.Stdout, load.Dir = &out, t.TempDir()
	if err := m.Do(t.Context(), load.Start); err != nil {
		t.Fatal(err)
	}
	if err := load.Wait(); err != nil {
		t.Fatal(err)
	}
	var r lab.Result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Connections != 300 || r.Vantage != lab.External || r.ClientAddress != lab.AddressKept || r.Instances[0].Connections == 0 || r.Instances[1].Connections == 0 {
		t.Errorf("%d connections from %s, the client's address %s, by instance %+v", r.Connections, r.Vantage, r.ClientAddress, r.Instances)
	}
	if err := kept.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if got := kept.status(t); got != 0 {
		t.Errorf("exit status %d\n%s", got, kept.stderr.String())
	}
	if diff := before.Diff(snapshot(t)); diff != "" {
		t.Errorf("the machine is not as it was before:\n%s", diff)
	}
}

// TestAFrontThatNoOtherMachineCanCallIsRefused touches nothing.
func TestAFrontThatNoOtherMachineCanCallIsRefused(t *testing.T) {
	bench(t, "docker")
	m := newFarMachine(t)
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"loopback":     {onDocker("run", "dnat", "--front-address", "127.0.0.1"), 2, "no other machine can call the loopback address"},
		"of others":    {onDocker("run", "dnat", "--front-address", m.far.String()), 2, "198.19.255.1 (tofar)"},
		"a namespace":  {[]string{"run", "dnat", "--front-address", m.near.String(), "--runtime", "netns"}, 3, "use --runtime docker"},
		"its replicas": {fromFar("run", "client-side"), 3, "its clients call the replicas' own addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			before := snapshot(t)
			p := start(t, m.env, append(c.args, "--no-report")...)
			if got := p.status(t); got != c.status || !strings.Contains(p.stderr.String(), c.says) {
				t.Errorf("exit status %d, want %d and a word of %q\n%s", got, c.status, c.says, p.stderr.String())
			}
			if files, err := filepath.Glob(m.temporary + "/*"); err != nil || len(files) > 0 {
				t.Errorf("the other machine was given %v (%v)", files, err)
			}
			if diff := before.Diff(snapshot(t)); diff != "" {
				t.Errorf("the machine is not as it was before:\n%s", diff)
			}
		})
	}
}
