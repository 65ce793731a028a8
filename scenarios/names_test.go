package scenarios_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/load"
	"github.com/portlab/portlab/scenarios"
	"github.com/portlab/portlab/strategies"
)

// What real clients do with a name of several addresses.

// lookingUp is a trial of dns-rr with one kind of client, in a process of its own.
func lookingUp(t *testing.T, b scenarios.Bench, strategy string, v lab.Vantage, ip lab.Family) *lab.Trial {
	t.Helper()
	s, err := strategies.Find(strategy)
	if err != nil {
		t.Fatal(err)
	}
	supported(t, b, strategy, ip)
	p := planOf(lab.HTTP1)
	p.Requests = 90
	return &lab.Trial{
		Strategy: s, Runtime: b.Runtime, Vantage: v, Plan: p, Prober: load.Prober(lab.HTTP1),
		Driver: load.Process{Driver: load.Auto, Path: labtest.Binary(t)},
		Fleet:  lab.FleetSpec{Run: lab.NewRunID(), Family: ip, Replicas: 3},
	}
}

// hasClient skips a test of a client that is not here, or is another one.
func hasClient(t *testing.T, strategy string) {
	t.Helper()
	said, err := exec.Command("getent", "--version").CombinedOutput()
	gnu := err == nil && (strings.Contains(string(said), "GNU") || strings.Contains(string(said), "GLIBC"))
	ofLibrary := strings.Contains(strategy, "glibc") || strings.Contains(strategy, "curl")
	labtest.Require(t, "getent", gnu || !ofLibrary, fmt.Sprintf("the C library is not the GNU one: %s", said))
	_, err = exec.LookPath("curl")
	labtest.Require(t, "curl", err == nil || !strings.Contains(strategy, "curl"), "no curl is installed")
}

func TestNames(t *testing.T) {
	const inTurn, single, itself = "in turn", "single", "itself"
	for _, c := range []struct {
		strategy string
		vantage  lab.Vantage
		want     string
	}{
		{"dns-rr", lab.External, inTurn}, {"dns-rr", lab.OnHost, inTurn}, {"dns-rr", lab.Peer, inTurn},
		{"dns-rr:order=fixed", lab.External, single},
		{"dns-rr:client=cached", lab.External, single}, {"dns-rr:client=cached", lab.Peer, single},
		// RFC 6724, rule 9: nothing is nearer to a client than its own address.
		{"dns-rr:client=glibc", lab.External, inTurn}, {"dns-rr:client=glibc", lab.Peer, itself},
		{"dns-rr:client=curl", lab.External, inTurn}, {"dns-rr:client=curl", lab.Peer, itself},
	} {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			t.Run(fmt.Sprintf("%s-from-%s-ip%d", c.strategy, c.vantage, ip), func(t *testing.T) {
				b := bench(t, "netns")
				hasClient(t, c.strategy)
				r, _ := cross(t, b, lookingUp(t, b, c.strategy, c.vantage, ip), "no loss")
				if v := r.Verdicts[0]; v.Outcome != lab.Held {
					t.Errorf("%s: %s", v.Outcome, v.Sentence)
				}
				var counts []int
				for _, in := range r.Instances {
					counts = append(counts, in.Connections)
				}
				most, least := slices.Max(counts), slices.Min(counts)
				if c.want == inTurn && most-least > 1 || c.want != inTurn && most != r.Requests || c.want == itself && counts[0] != most {
					t.Errorf("%v, want %s", counts, c.want)
				}
				if r.Plan.Lookup.Name == "" || !r.Plan.Lookup.Server.IsValid() {
					t.Errorf("the result does not say what was looked up: %+v", r.Plan.Lookup)
				}
			})
		}
	}
}

// A client that asks for each connection hears that a replica has left. One that
// keeps its answer never does, and calls an address where nobody is any more.
func TestNamesOfOneThatLeaves(t *testing.T) {
	for strategy, hears := range map[string]bool{"dns-rr": true, "dns-rr:client=glibc": true, "dns-rr:client=cached": false} {
		t.Run(strategy, func(t *testing.T) {
			b := bench(t, "netns")
			hasClient(t, strategy)
			trial := lookingUp(t, b, strategy, lab.External, lab.IPv4)
			trial.Plan.Requests, trial.Plan.Concurrency, trial.Plan.Timeout, trial.Plan.Path = 300, 20, time.Second, "/?delay=100ms"
			var began time.Time
			var left time.Duration // into the load, at the latest
			trial.Changes = []lab.Change{
				{What: "the driver is told to begin", At: time.Nanosecond, Make: func(context.Context, lab.Standing) error { began = time.Now(); return nil }},
				{What: "foo leaves", At: 100 * time.Millisecond, Make: func(ctx context.Context, s lab.Standing) error {
					err := s.Leave(ctx, "foo")
					left = time.Since(began)
					return err
				}},
			}
			r, samples := cross(t, b, trial)
			due, failed := 0, 0
			for s := range samples.All() {
				if s.Due > left {
					due++
					if !s.OK() {
						failed++
					}
				}
			}
			t.Logf("of %d requests %v failed; of %d after foo had left, %d", r.Requests, r.Faults, due, failed)
			if due == 0 {
				t.Fatal("no request was due after foo had left")
			}
			if hears && failed > 0 || !hears && failed == 0 {
				t.Errorf("%d of %d requests failed after foo had left, and the client hears of it: %v", failed, due, hears)
			}
		})
	}
}
