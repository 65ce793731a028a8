package scenarios_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/vm"
	"github.com/portlab/portlab/scenarios"
)

// Machines of a test, on one switch: two nodes of a swarm, and a client.
var (
	node1  = netip.MustParsePrefix("198.18.0.1/24")
	node2  = netip.MustParsePrefix("198.18.0.2/24")
	caller = netip.MustParsePrefix("198.18.0.10/24")
)

// swarmPool is what Swarm takes its own networks from, in place of addresses
// that somebody may use.
const swarmPool = "198.18.128.0/17"

// Swarm's routing mesh on one node, in a machine whose kernel has IPVS: from
// wherever it is called the tasks take turns, and none sees the client's
// address; a connection that is kept stays with one task.
func TestSwarmInAMachine(t *testing.T) {
	ctx := t.Context()
	m := startAll(t, map[string]vm.Config{"node": {Image: imageOf(t, "vm", vm.Docker), Engine: true}})["node"]
	for _, v := range lab.Vantages() {
		t.Run(string(v), func(t *testing.T) {
			_, err := scenarios.In(ctx, m, "docker", scenarios.Trial{
				Strategy: "swarm", Vantage: v, Replicas: 2, Requests: 300, Expect: []scenarios.Expectation{
					{Claim: "shares", Outcome: lab.Held}, {Claim: "order", Outcome: lab.Held}, {Claim: "no loss", Outcome: lab.Held},
					{Claim: "client address kept", Outcome: lab.Refuted},
				},
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("kept connection", func(t *testing.T) {
		got := decoded(t, in(ctx, t, m, "portlab run swarm --runtime docker --keep-alive --timeout 20s --quiet --no-report --format json"))
		pinned(t, got)
	})
}

// Swarm's routing mesh on two nodes behind a switch, called from a third
// machine: whichever node is called, each of the two tasks answers every other
// connection, no task sees the client's address, and a connection that is kept
// stays with one task.
func TestSwarmOnTwoNodes(t *testing.T) {
	images := map[vm.Kind]vm.Image{}
	for _, kind := range vm.Kinds() {
		images[kind] = imageOf(t, "vm-swarm2", kind)
	}
	ctx := t.Context()
	lan := vm.NewSwitch()
	machines := startAll(t, map[string]vm.Config{
		"node1":  {Image: images[vm.Docker], Engine: true, CPUs: 1, Links: []vm.Link{{Switch: lan, Address: node1}}},
		"node2":  {Image: images[vm.Docker], Engine: true, CPUs: 1, Links: []vm.Link{{Switch: lan, Address: node2}}},
		"client": {Image: images[vm.Tiny], CPUs: 1, Links: []vm.Link{{Switch: lan, Address: caller}}},
	})
	manager, worker := machines["node1"], machines["node2"]
	for _, m := range []*vm.Machine{manager, worker} {
		in(ctx, t, m, `tar -C "$(dirname "$(command -v portlab)")" -c portlab | docker import -c 'ENTRYPOINT ["/portlab", "serve"]' - replica`)
	}
	in(ctx, t, manager, `docker swarm init --advertise-addr 198.18.0.1 --default-addr-pool `+swarmPool)
	token := strings.TrimSpace(in(ctx, t, manager, `docker swarm join-token -q worker`))
	in(ctx, t, worker, `docker swarm join --token `+token+` --advertise-addr 198.18.0.2 198.18.0.1:2377`)
	in(ctx, t, manager, `docker service create --detach --name web --replicas 2 --replicas-max-per-node 1 --no-resolve-image \
		--publish published=8080,target=80 --env HOST=0.0.0.0 --env PORT=80 --env 'INSTANCE=task{{.Task.Slot}}' replica`)
	awaitTasks(ctx, t, manager)

	for _, at := range []netip.Prefix{node1, node2} {
		t.Run("in turn by "+at.Addr().String(), func(t *testing.T) {
			got := callService(ctx, t, machines["client"], at.Addr())
			if got.Connections != 300 || len(got.Faults) > 0 {
				t.Errorf("%d connections with faults %v, want 300 with none", got.Connections, got.Faults)
			}
			for _, r := range got.Instances {
				if r.Connections != 150 {
					t.Errorf("%s answered %d connections, want every other of 300", r.Name, r.Connections)
				}
			}
			if got.ClientAddress != lab.AddressLost {
				t.Errorf("the client's address is %s, want %s", got.ClientAddress, lab.AddressLost)
			}
		})
	}
	t.Run("kept connection", func(t *testing.T) {
		pinned(t, callService(ctx, t, machines["client"], node1.Addr(), "--keep-alive"))
	})
}

// pinned holds that all requests were on one connection, and so of one task.
func pinned(t *testing.T, got lab.Result) {
	t.Helper()
	if n := max(got.Instances[0].Requests, got.Instances[1].Requests); got.Connections != 1 || n != 300 {
		t.Errorf("%d connections, the most requests of one task %d: want all 300 on one", got.Connections, n)
	}
}

// imageOf is the image of a kind that was made last: to have made one is to
// agree to machines. Without one the test is skipped.
func imageOf(t *testing.T, what string, kind vm.Kind) vm.Image {
	t.Helper()
	dir, err := vm.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	found, err := vm.Find(dir, string(kind))
	labtest.Require(t, what, err == nil, fmt.Sprint(err))
	return found
}

// awaitTasks waits until both tasks run.
func awaitTasks(ctx context.Context, t *testing.T, manager *vm.Machine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for {
		states := in(ctx, t, manager, `docker service ps web --format '{{.Node}} {{.CurrentState}} {{.Error}}'`)
		if strings.Count(states, " Running ") == 2 {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the tasks do not run:\n%s", states)
		case <-time.After(time.Second):
		}
	}
}

// callService offers 300 requests to the service at one node's address.
func callService(ctx context.Context, t *testing.T, client *vm.Machine, at netip.Addr, more ...string) lab.Result {
	t.Helper()
	out := in(ctx, t, client, strings.Join(append([]string{
		"portlab load http://" + netip.AddrPortFrom(at, 8080).String() + "/ --requests 300 --timeout 20s",
		"--instances task1,task2 --quiet --no-report --format json",
	}, more...), " "))
	return decoded(t, out)
}

func decoded(t *testing.T, result string) lab.Result {
	t.Helper()
	var r lab.Result
	if err := json.Unmarshal([]byte(result), &r); err != nil {
		t.Fatalf("%v\n%s", err, result)
	}
	return r
}

// startAll starts machines side by side.
func startAll(t *testing.T, wanted map[string]vm.Config) map[string]*vm.Machine {
	t.Helper()
	type started struct {
		name string
		*vm.Machine
		error
	}
	all := make(chan started)
	for name, c := range wanted {
		c.Name, c.Binary = name, labtest.Binary(t)
		go func() {
			m, err := vm.Start(t.Context(), c)
			all <- started{name, m, err}
		}()
	}
	machines := map[string]*vm.Machine{}
	failed := false
	for range wanted {
		s := <-all
		if s.error != nil {
			t.Errorf("%s: %v", s.name, s.error)
			failed = true
			continue
		}
		machines[s.name] = s.Machine
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if failed {
		t.FailNow()
	}
	return machines
}

// in runs a shell's words in a machine and gives what they print.
func in(ctx context.Context, t *testing.T, m *vm.Machine, words string) string {
	t.Helper()
	var out, problems bytes.Buffer
	status, err := m.Run(ctx, vm.Command{Args: []string{"sh", "-ec", words}, Stdout: &out, Stderr: &problems})
	if err != nil || status != 0 {
		t.Fatalf("%s\nexit status %d, %v\n%s%s", words, status, err, out.String(), problems.String())
	}
	return out.String()
}
