package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/docker"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/load"
	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/scenarios"
	"github.com/portlab/portlab/strategies"
)

// bench is a runtime of this machine, or the test is skipped.
func bench(t testing.TB, runtime string) scenarios.Bench {
	t.Helper()
	labtest.Require(t, "root", kernel.MayMakeNamespaces(), "clients' namespaces need CAP_SYS_ADMIN and CAP_NET_ADMIN")
	var r lab.Runtime = netns.New(netns.Options{Binary: labtest.Binary(t)})
	if runtime == "docker" {
		r = docker.New(docker.Options{Binary: labtest.Binary(t)})
	}
	_, err := r.Host(context.Background())
	labtest.Require(t, runtime, err == nil, fmt.Sprint(err))
	return scenarios.Bench{Runtime: r, Driver: load.Simple{}, Guard: watched}
}

// inEachRuntime runs a test on every runtime.
func inEachRuntime(t *testing.T, f func(*testing.T, scenarios.Bench)) {
	for _, runtime := range []string{"docker", "netns"} {
		t.Run(runtime, func(t *testing.T) { f(t, bench(t, runtime)) })
	}
}

// supported skips a test of what a runtime does not offer, with the reason.
// What is missing here but could be is another matter: that can be required.
func supported(t *testing.T, b scenarios.Bench, strategy string, ip lab.Family) {
	t.Helper()
	s, err := strategies.Find(strategy)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Runtime.Supports(s.Needs().Fleet(lab.FleetSpec{Family: ip, Replicas: 1})); err != nil {
		t.Skip(err)
	}
	if err := lab.Supported(t.Context(), b.Runtime, s, ip); err != nil {
		labtest.Require(t, strategy, false, err.Error())
	}
}

func TestScenarios(t *testing.T) {
	inEachRuntime(t, func(t *testing.T, b scenarios.Bench) {
		for _, s := range scenarios.All() {
			t.Run(s.Name, func(t *testing.T) {
				for _, trial := range s.Trials {
					t.Run(trial.Strategy+"-from-"+string(trial.Vantage), func(t *testing.T) {
						supported(t, b, trial.Strategy, lab.IPv4)
						onThisKernel(t, b, s, trial)
						impairable(t, b, trial)
						takesWhatItsPathTakes(t, trial, runClean(t, b, trial))
					})
				}
			})
		}
	})
}

// onThisKernel skips a trial of a scenario whose modules this kernel lacks.
func onThisKernel(t *testing.T, b scenarios.Bench, s scenarios.Scenario, trial scenarios.Trial) {
	t.Helper()
	if len(s.Kernel) == 0 {
		return
	}
	x, err := b.Trial(trial)
	if err != nil {
		t.Fatal(err)
	}
	err = x.Able(t.Context())
	labtest.Require(t, s.Kernel[0], !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
}

// Every strategy from every vantage either answers all requests, or says why
// it cannot: the reason is part of the strategy, not of this test. What is found
// out of a strategy does not depend on the runtime.
func TestEveryStrategyFromEveryVantage(t *testing.T) {
	found := map[string]map[string]finding{} // by strategy and runtime
	inEachRuntime(t, func(t *testing.T, b scenarios.Bench) {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			t.Run(fmt.Sprint("ip", ip), func(t *testing.T) {
				var rows []string
				for _, s := range strategies.All() {
					if s.Needs().Publish == lab.PublishEach {
						continue // it is refused, which article-port-clash shows
					}
					t.Run(s.Name(), func(t *testing.T) {
						supported(t, b, s.Name(), ip)
						lines, at := everyVantage(t, b, s, ip)
						rows = append(rows, lines...)
						if ip == lab.IPv4 && at != nil {
							if found[s.Name()] == nil {
								found[s.Name()] = map[string]finding{}
							}
							found[s.Name()][b.Runtime.Name()] = *at
						}
					})
				}
				if len(rows) > 0 {
					t.Log("\n| strategy | vantage | foo/bar | p of its shares | shares | p50 |\n|---|---|---|---|---|---|\n" + strings.Join(rows, "\n"))
				}
			})
		}
	})
	for name, on := range found {
		if len(on) < 2 {
			continue // a runtime does not offer it, and has said why
		}
		if d := cmp.Diff(on["docker"], on["netns"]); d != "" {
			t.Errorf("%s: -docker +netns:\n%s", name, d)
		}
	}
}

// finding is what is found out of a strategy, from the first vantage that it serves.
type finding struct {
	Loss, Shares lab.Outcome
	Client       lab.ClientAddress
	Faults       map[lab.Fault]int
}

// everyVantage has clients call one front from each vantage that its strategy
// serves, and gives a line of each.
func everyVantage(t *testing.T, b scenarios.Bench, s lab.Strategy, ip lab.Family) (rows []string, at *finding) {
	t.Helper()
	var trials []scenarios.Trial
	for _, v := range lab.Vantages() {
		if why := s.Needs().WhyNotFrom(v, ip); why != "" {
			rows = append(rows, row(s.Name(), v, "not from here: "+why+" | | |"))
			continue
		}
		trials = append(trials, scenarios.Trial{
			Strategy: s.Name(), Vantage: v, Family: ip, Replicas: 2, Requests: 300,
			Expect: []scenarios.Expectation{{Claim: "no loss", Outcome: lab.Held}, {Claim: "shares"}},
		})
	}
	if ip == lab.IPv4 {
		trials[0].Requests = enough // for what is held against the other runtime
	}
	before := snapshot(t)
	all, err := b.RunAlso(t.Context(), trials[0], trials[1:]...)
	if err != nil {
		t.Error(err)
	}
	if diff := before.Diff(snapshot(t)); diff != "" {
		t.Errorf("the machine is not as it was before:\n%s", diff)
	}
	for _, r := range all {
		rows = append(rows, row(s.Name(), r.Vantage, measured(r)))
	}
	if len(all) > 0 {
		r := all[0]
		at = &finding{r.Verdicts[0].Outcome, r.Verdicts[1].Outcome, r.ClientAddress, r.Faults}
	}
	return rows, at
}

// enough connections that chance does not decide: see the scenarios' own.
const enough = 2000

func row(strategy string, v lab.Vantage, what string) string {
	return fmt.Sprintf("| %s | %s | %s |", strategy, v, what)
}

func measured(r *lab.Result) string {
	var counts []int
	for _, in := range r.Instances {
		counts = append(counts, in.Connections)
	}
	p := "none"
	if v := r.Verdicts[1]; v.PValue != nil {
		p = fmt.Sprintf("%.3g", *v.PValue)
	}
	split := strings.Trim(strings.ReplaceAll(fmt.Sprint(counts), " ", "/"), "[]")
	return fmt.Sprintf("%s | %s | %s | %s", split, p, r.Verdicts[1].Outcome, r.Latency.P50.Round(time.Microsecond))
}

// runClean runs a trial and makes sure that the machine is as it was.
func runClean(t *testing.T, b scenarios.Bench, trial scenarios.Trial) *lab.Result {
	t.Helper()
	before := snapshot(t)
	r, err := b.Run(t.Context(), trial)
	if err != nil {
		t.Error(err)
	}
	if diff := before.Diff(snapshot(t)); diff != "" {
		t.Errorf("the machine is not as it was before:\n%s", diff)
	}
	return r
}

// snapshot is a picture of this machine.
func snapshot(t *testing.T) labtest.Machine {
	t.Helper()
	m, err := labtest.Snapshot(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}
