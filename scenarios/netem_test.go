package scenarios_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/lab/vm"
	"github.com/portlab/portlab/scenarios"
)

// impairable skips a trial on a worse path where the kernel has no NETEM.
func impairable(t *testing.T, b scenarios.Bench, trial scenarios.Trial) {
	t.Helper()
	if trial.Impair == "" {
		return
	}
	err := canImpair(t, b.Runtime)
	labtest.Require(t, "netem", !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
}

func canImpair(t *testing.T, r lab.Runtime) error {
	t.Helper()
	host, err := r.Host(t.Context())
	if err != nil {
		return err
	}
	return host.(lab.ImpairingHost).CheckImpair(t.Context())
}

// synAgain is well below the second after which a SYN is sent again (RFC 6298,
// 2.1), which timers of the kernel's ticks may cut by one.
const synAgain = 900 * time.Millisecond

// takesWhatItsPathTakes holds the times to connect against what no machine can
// be faster than: a round trip and, for one in a hundred, a SYN that is sent
// again. By the loss it is 4% of them: of 1,000, fewer than 1% in one run of 10^8.
func takesWhatItsPathTakes(t *testing.T, trial scenarios.Trial, r *lab.Result) {
	t.Helper()
	if trial.Impair == "" || r == nil {
		return
	}
	i, err := lab.ParseImpairment(trial.Impair)
	if err != nil {
		t.Fatal(err)
	}
	if r.Connect.Min < 2*i.Delay {
		t.Errorf("a connection stood after %s, on a path of %s each way", r.Connect.Min, i.Delay)
	}
	if r.Connect.P99 < synAgain {
		t.Errorf("99%% of the connections stood after %s: no SYN was lost of %d, each way with %v%%", r.Connect.P99, r.Connections, i.LossPercent)
	}
	t.Logf("time to connect: %s at least, p50 %s, p90 %s, p99 %s", r.Connect.Min, r.Connect.P50, r.Connect.P90, r.Connect.P99)
}

// onNetem is how to run portlab on a kernel that has NETEM: this one or, where
// somebody has made an image, that of a machine.
func onNetem(t *testing.T) []string {
	t.Helper()
	inWorld := []string{"--runtime", "netns", "--quiet", "--no-report", "--format", "json"}
	why := canImpair(t, bench(t, "netns").Runtime)
	if why == nil {
		return inWorld
	}
	dir, err := vm.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	_, err = vm.Find(dir, string(vm.Tiny))
	labtest.Require(t, "netem", err == nil, fmt.Sprintf("%v; %v", why, err))
	return append(inWorld, "--in-vm", "--vm-image", string(vm.Tiny))
}

// runOnNetem runs a strategy on a kernel that has NETEM and gives its result.
func runOnNetem(t *testing.T, strategy string, args ...string) *lab.Result {
	t.Helper()
	p := start(t, nil, slices.Concat([]string{"run", strategy}, onNetem(t), args)...)
	status := p.status(t)
	r := &lab.Result{}
	if err := json.Unmarshal([]byte(p.stdout.String()), r); err != nil || status > 1 {
		t.Fatalf("exit status %d, %v\n%s\n%s", status, err, p.stderr.String(), p.stdout.String())
	}
	return r
}

// The same as the scenarios say, by the command line, as a user types it.
func TestScenariosOnAWorsePathByTheCommandLine(t *testing.T) {
	for _, s := range scenarios.Netem() {
		for _, trial := range s.Trials {
			t.Run(s.Name+"/"+trial.Strategy, func(t *testing.T) {
				args := []string{
					"--vantage", string(trial.Vantage), "--replicas", strconv.Itoa(trial.Replicas), "--requests", strconv.Itoa(trial.Requests),
					"--concurrency", strconv.Itoa(trial.Concurrency), "--impair", trial.Impair, "--timeout", "1m",
				}
				for _, e := range trial.Expect {
					args = append(args, "--claim", e.Claim)
				}
				r := runOnNetem(t, trial.Strategy, args...)
				for i, e := range trial.Expect {
					if v := r.Verdicts[i]; v.Outcome != e.Outcome {
						t.Errorf("%s is %s, not %s: %s", e.Claim, v.Outcome, e.Outcome, v.Sentence)
					}
				}
				takesWhatItsPathTakes(t, trial, r)
			})
		}
	}
}

// A path that is down for two seconds in the middle of a load costs time and no
// request: a SYN that was lost is sent again.
func TestAnOutageOfThePath(t *testing.T) {
	r := runOnNetem(t, "dnat", "--rate", "50", "--duration", "5s", "--timeout", "1m",
		"--impair", "loss=100%@1s", "--impair", "none@3s")
	if r.Requests != 250 || len(r.Faults) > 0 {
		t.Errorf("%d requests with faults %v, want 250 with none", r.Requests, r.Faults)
	}
	if r.Connect.Max < synAgain {
		t.Errorf("every connection stood after %s, though the path was down for 2 s", r.Connect.Max)
	}
	if len(r.Impairments) != 2 || r.Impairments[0].Impairment.LossPercent != 100 {
		t.Errorf("the result has the impairments %v", r.Impairments)
	}
	t.Logf("time to connect: p50 %s, p90 %s, at most %s", r.Connect.P50, r.Connect.P90, r.Connect.Max)
}

// What cannot be impaired is refused before anything is made, the machine
// included.
func TestAPathThatIsNotTheRunsIsNotImpaired(t *testing.T) {
	bench(t, netns.New(netns.Options{}).Name())
	for _, args := range [][]string{
		{"--vantage", "localhost"}, {"--vantage", "host"}, {"--vantage", "peer"}, {"--vantage", "localhost", "--in-vm"},
	} {
		p := start(t, nil, append([]string{"run", "dnat", "--runtime", "netns", "--impair", "loss=1%"}, args...)...)
		if got := p.status(t); got != 2 || p.stdout.String() != "" {
			t.Errorf("%v: exit status %d, want 2\n%s%s", args, got, p.stdout.String(), p.stderr.String())
		}
	}
}
