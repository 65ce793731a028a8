package scenarios_test

import (
	"context"
	"fmt"
	"slices"
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
						impairable(t, b, trial)
						takesWhatItsPathTakes(t, trial, runClean(t, b, trial))
					})
				}
			})
		}
	})
}

// Every strategy from every vantage either answers all requests, or says why
// it cannot: the reason is part of the strategy, not of this test.
func TestEveryStrategyFromEveryVantage(t *testing.T) {
	inEachRuntime(t, func(t *testing.T, b scenarios.Bench) {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			t.Run(fmt.Sprint("ip", ip), func(t *testing.T) { everyStrategy(t, b, ip) })
		}
	})
}

func everyStrategy(t *testing.T, b scenarios.Bench, ip lab.Family) {
	var rows []string
	for _, s := range strategies.All() {
		needs := s.Needs()
		if needs.Publish == lab.PublishEach {
			continue // it is refused, which article-port-clash shows
		}
		for _, v := range lab.Vantages() {
			t.Run(s.Name()+"-from-"+string(v), func(t *testing.T) {
				supported(t, b, s.Name(), ip)
				if why := needs.WhyNotFrom(v, ip); why != "" {
					rows = append(rows, row(s.Name(), v, "not from here: "+why+" | | |"))
					return
				}
				r := runClean(t, b, scenarios.Trial{
					Strategy: s.Name(), Vantage: v, Family: ip, Replicas: 2, Requests: 300,
					Expect: []scenarios.Expectation{{Claim: "no loss", Outcome: lab.Held}, {Claim: "shares"}},
				})
				rows = append(rows, row(s.Name(), v, measured(r)))
			})
		}
	}
	if len(rows) > 0 {
		t.Log("\n| strategy | vantage | foo/bar | p of its shares | shares | p50 |\n|---|---|---|---|---|---|\n" + strings.Join(rows, "\n"))
	}
}

// What is found out of a strategy does not depend on the runtime.
func TestBothRuntimesGiveTheSameVerdicts(t *testing.T) {
	benches := []scenarios.Bench{bench(t, "docker"), bench(t, "netns")}
	for _, s := range strategies.All() {
		t.Run(s.Name(), func(t *testing.T) {
			from := lab.Vantages()
			from = slices.DeleteFunc(from, func(v lab.Vantage) bool { return s.Needs().WhyNotFrom(v, lab.IPv4) != "" })
			var found []map[string]any
			for _, b := range benches {
				supported(t, b, s.Name(), lab.IPv4)
				r := runClean(t, b, scenarios.Trial{
					Strategy: s.Name(), Vantage: from[0], Replicas: 2, Requests: enough,
					Expect: []scenarios.Expectation{{Claim: "no loss"}, {Claim: "shares"}},
				})
				if r == nil {
					return // it has said why
				}
				found = append(found, map[string]any{
					"no loss": r.Verdicts[0].Outcome, "shares": r.Verdicts[1].Outcome,
					"client address": r.ClientAddress, "faults": r.Faults,
				})
			}
			if d := cmp.Diff(found[0], found[1]); d != "" {
				t.Errorf("-docker +netns:\n%s", d)
			}
			t.Logf("both: %v", found[0])
		})
	}
}

// enough connections that chance does not decide: see the scenarios' own.
const enough = 2000

func row(strategy string, v lab.Vantage, what string) string {
	return fmt.Sprintf("| %s | %s | %s |", strategy, v, what)
}

func measured(r *lab.Result) string {
	if r == nil {
		return "failed"
	}
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
