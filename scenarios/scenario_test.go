package scenarios_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/docker"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/load"
	"github.com/portlab/portlab/scenarios"
	"github.com/portlab/portlab/strategies"
)

// bench is the docker runtime with this machine's engine, or the test is
// skipped.
func bench(t testing.TB) scenarios.Bench {
	t.Helper()
	_, err := docker.New(docker.Options{}).Host(context.Background())
	labtest.Require(t, "docker", err == nil, fmt.Sprint(err))
	labtest.Require(t, "root", kernel.HasNetAdmin(), "no CAP_NET_ADMIN")
	return scenarios.Bench{
		Runtime: docker.New(docker.Options{Binary: labtest.Binary(t)}),
		Driver:  load.Simple{},
		Guard:   watched,
	}
}

func TestScenarios(t *testing.T) {
	b := bench(t)
	for _, s := range scenarios.All() {
		t.Run(s.Name, func(t *testing.T) {
			for _, trial := range s.Trials {
				t.Run(trial.Strategy+"-from-"+string(trial.Vantage), func(t *testing.T) {
					runClean(t, b, trial)
				})
			}
		})
	}
}

// Every strategy from every vantage either answers all requests, or says why
// it cannot: the reason is part of the strategy, not of this test.
func TestEveryStrategyFromEveryVantage(t *testing.T) {
	b := bench(t)
	var rows []string
	for _, s := range strategies.All() {
		needs := s.Needs()
		if needs.Publish == lab.PublishEach {
			continue // it is refused, which article-port-clash shows
		}
		for _, v := range lab.Vantages() {
			t.Run(s.Name()+"-from-"+string(v), func(t *testing.T) {
				if why, no := needs.NotFrom[v]; no {
					rows = append(rows, row(s.Name(), v, "not from here: "+why+" | | |"))
					return
				}
				if err := lab.Supported(t.Context(), b.Runtime, s, lab.IPv4); err != nil {
					labtest.Require(t, s.Name(), false, err.Error())
				}
				r := runClean(t, b, scenarios.Trial{
					Strategy: s.Name(), Vantage: v, Replicas: 2, Requests: 300,
					Expect: []scenarios.Expectation{{Claim: "no loss", Outcome: lab.Held}, {Claim: "shares"}},
				})
				rows = append(rows, row(s.Name(), v, measured(r)))
			})
		}
	}
	t.Log("\n| strategy | vantage | foo/bar | p of its shares | shares | p50 |\n|---|---|---|---|---|---|\n" + strings.Join(rows, "\n"))
}

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
