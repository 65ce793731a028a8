package scenarios_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

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
