package scenarios_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/claim"
	"github.com/portlab/portlab/lab/load"
	"github.com/portlab/portlab/lab/step"
	"github.com/portlab/portlab/scenarios"
	"github.com/portlab/portlab/strategies"
)

// Every protocol through every strategy that does not rule it out.

// chance is the probability below which shares are not put down to it, though
// more than a hundred of them are looked at.
const chance = 1e-6

// crossing is a protocol through a strategy.
type crossing struct {
	strategy string
	protocol lab.Protocol
	vantage  lab.Vantage
	family   lab.Family
	clients  int
}

func (c crossing) String() string {
	return fmt.Sprintf("%s-%s-from-%s-ip%d", c.strategy, c.protocol, c.vantage, c.family)
}

// keeps says whether replicas see the client's own address: not where a program
// makes a connection of its own to them, nor, from 127.0.0.1, where anything
// leads the connection to another namespace behind the client's back; a program
// at connect(2) has the client itself connect elsewhere.
func keeps(t *testing.T, trial *lab.Trial) bool {
	t.Helper()
	e, err := lab.Explain(t.Context(), trial)
	if err != nil {
		t.Fatal(err)
	}
	copied := slices.ContainsFunc(e.Steps, func(s lab.Step) bool { _, is := s.(step.Sidecar); return is })
	led := slices.ContainsFunc(e.Steps, func(s lab.Step) bool { _, is := s.(step.BPF); return !is }) && trial.Strategy.Needs().Placement != lab.HostNetns
	return !copied && !(led && trial.Vantage == lab.Localhost)
}

// plan is 600 requests, each on a connection of its own.
func (c crossing) plan() lab.Plan {
	p := planOf(c.protocol)
	p.Requests, p.Concurrency, p.Clients = 600, 4, c.clients
	return p
}

func planOf(protocol lab.Protocol) lab.Plan {
	p := lab.DefaultPlan()
	p.Protocol, p.Timeout = protocol, 5*time.Second
	return p
}

// trial is a plan through a strategy.
func (c crossing) trial(t *testing.T, b scenarios.Bench, p lab.Plan) *lab.Trial {
	t.Helper()
	s, err := strategies.Find(c.strategy)
	if err != nil {
		t.Fatal(err)
	}
	return &lab.Trial{
		Strategy: s, Runtime: b.Runtime, Vantage: c.vantage, Plan: p, Driver: load.Prober(p.Protocol),
		Fleet: lab.FleetSpec{Run: lab.NewRunID(), Family: c.family, Replicas: 3},
	}
}

// cross carries out a trial with claims.
func cross(t *testing.T, b scenarios.Bench, trial *lab.Trial, claims ...string) (*lab.Result, lab.Samples) {
	t.Helper()
	for _, text := range claims {
		judged, err := claim.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		trial.Claims = append(trial.Claims, judged)
	}
	journal, done, err := b.Guard(t.Context(), trial.Fleet.Run)
	if err != nil {
		t.Fatal(err)
	}
	trial.Journal = journal
	r, samples, err := lab.Run(t.Context(), trial)
	if err = errors.Join(err, done(context.WithoutCancel(t.Context()))); err != nil {
		t.Fatal(err)
	}
	return r, samples
}

// crosses makes a crossing: nothing is lost, each replica has its share, and
// sees each client's address or none.
func crosses(t *testing.T, b scenarios.Bench, c crossing) {
	t.Helper()
	trial := c.trial(t, b, c.plan())
	kept := keeps(t, trial)
	r, samples := cross(t, b, trial, "no loss", "shares", "client address kept")
	if v := r.Verdicts[0]; v.Outcome != lab.Held {
		t.Errorf("%s: %s", v.Outcome, v.Sentence)
	}
	// What comes with a warning may be skewed; the scenarios are about that.
	_, warned := trial.Strategy.(lab.Warner)
	if v := r.Verdicts[1]; !warned && r.Null != lab.AcceptRace && (v.Outcome == lab.Broken || v.PValue != nil && *v.PValue < chance) {
		t.Errorf("%s: %s", v.Outcome, v.Sentence)
	}
	want := map[bool]lab.Outcome{true: lab.Held, false: lab.Refuted}[kept]
	if v := r.Verdicts[2]; v.Outcome != want {
		t.Errorf("the client's address: %s, want %s: %s", v.Outcome, want, v.Sentence)
	}
	if seen, want := clientsSeen(samples), c.clients; kept && seen != want || !kept && seen > 2 {
		t.Errorf("the replicas saw %d addresses of %d clients, which keep them: %v", seen, want, kept)
	}
	var counts []int
	for _, in := range r.Instances {
		counts = append(counts, in.Connections)
	}
	t.Logf("%v of %d requests, p50 %s, address %s", counts, r.Requests, r.Latency.P50.Round(time.Microsecond), r.ClientAddress)
}

// clientsSeen is how many addresses the replicas saw.
func clientsSeen(samples lab.Samples) int {
	seen := map[netip.Addr]bool{}
	for s := range samples.All() {
		seen[s.ReplicaSaw.Addr()] = true
	}
	return len(seen)
}

// With IPv6 the transports and one that has several streams are enough. Each
// lab is a world of its own, so that two of them may be up at a time.
func TestProtocolsThroughEveryStrategy(t *testing.T) {
	t.Parallel() // after those that compare the machine with what it was
	b := bench(t, "netns")
	for _, s := range strategies.All() {
		if _, told := s.(lab.Named); told {
			continue // its clients are no drivers for addresses: TestNames
		}
		for _, protocol := range lab.Protocols() {
			for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
				if ip == lab.IPv6 && !slices.Contains([]lab.Protocol{lab.TCP, lab.UDP, lab.HTTP2}, protocol) {
					continue
				}
				c := crossing{s.Name(), protocol, lab.External, ip, 50}
				t.Run(c.String(), func(t *testing.T) {
					t.Parallel()
					supported(t, b, s.Name(), ip)
					if why := s.Needs().WhyNotFor(protocol) + s.Needs().WhyNotFrom(lab.External, ip); why != "" {
						t.Skip(why)
					}
					crosses(t, b, c)
				})
			}
		}
	}
}

// Datagrams take other ways than connections from some vantages; a client on
// the host has as many addresses as it likes there.
func TestProtocolsUDPFromTheHostAndItsReplicas(t *testing.T) {
	b := bench(t, "netns")
	for _, s := range strategies.All() {
		for _, v := range []lab.Vantage{lab.OnHost, lab.Localhost, lab.Peer} {
			c := crossing{s.Name(), lab.UDP, v, lab.IPv4, 1}
			t.Run(c.String(), func(t *testing.T) {
				supported(t, b, s.Name(), lab.IPv4)
				if why := s.Needs().WhyNotFor(lab.UDP) + s.Needs().WhyNotFrom(v, lab.IPv4); why != "" {
					t.Skip(why)
				}
				if v != lab.Localhost {
					r, _ := cross(t, b, c.trial(t, b, c.plan()), "no loss")
					if r.Verdicts[0].Outcome != lab.Held {
						t.Error(r.Verdicts[0].Sentence)
					}
					return
				}
				if s.Needs().OneClient[v] == "" {
					c.clients = 50
				}
				crosses(t, b, c)
			})
		}
	}
}

// In containers the same: what the engine publishes has the transport too, and
// the machine is afterwards as it was.
func TestProtocolsInContainers(t *testing.T) {
	b := bench(t, "docker")
	for _, c := range []crossing{
		{"dnat", lab.UDP, lab.External, lab.IPv4, 50},
		{"dnat", lab.UDP, lab.Localhost, lab.IPv4, 50},
		{"direct", lab.UDP, lab.External, lab.IPv4, 50},
		{"reuseport", lab.UDP, lab.External, lab.IPv4, 50},
		{"reuseport-host", lab.UDP, lab.External, lab.IPv4, 50},
		{"docker-publish", lab.UDP, lab.External, lab.IPv4, 50},
		{"docker-proxy", lab.UDP, lab.External, lab.IPv4, 50},
		{"client-side", lab.TCP, lab.External, lab.IPv4, 50},
		{"nginx", lab.HTTP2, lab.External, lab.IPv4, 50},
		{"nginx", lab.WebSocket, lab.External, lab.IPv4, 50},
	} {
		t.Run(c.String(), func(t *testing.T) {
			supported(t, b, c.strategy, lab.IPv4)
			before := snapshot(t)
			crosses(t, b, c)
			same(t, before)
		})
	}
}

// The streams of one connection of HTTP/2 all reach one replica by way of
// layer 4, and are spread by a proxy of layer 7.
func TestProtocolsHTTP2StreamsOfOneConnection(t *testing.T) {
	inEachRuntime(t, func(t *testing.T, b scenarios.Bench) {
		for strategy, reached := range map[string]int{"direct": 1, "dnat": 1, "reuseport": 1, "proxy": 3, "nginx": 3} {
			t.Run(strategy, func(t *testing.T) {
				supported(t, b, strategy, lab.IPv4)
				streamsReach(t, b, strategy, reached)
			})
		}
	})
}

func streamsReach(t *testing.T, b scenarios.Bench, strategy string, reached int) {
	p := planOf(lab.HTTP2)
	p.Requests, p.Concurrency, p.Streams, p.PerConnection = 300, 8, 8, 0
	trial := crossing{strategy: strategy, vantage: lab.External, family: lab.IPv4}.trial(t, b, p)
	r, samples := cross(t, b, trial, "no loss")
	if r.Verdicts[0].Outcome != lab.Held {
		t.Error(r.Verdicts[0].Sentence)
	}
	connections, requests := map[int]bool{}, map[string]int{}
	for s := range samples.All() {
		connections[s.Connection] = true
		requests[s.Instance]++
	}
	if len(connections) != 1 || len(requests) != reached {
		t.Errorf("%d connections, and the streams went %v, want one connection and %d replicas", len(connections), requests, reached)
	}
	for name, n := range requests {
		if n != 300/reached { // each turn is one stream's
			t.Errorf("%s answered %d of 300 streams, want %d", name, n, 300/reached)
		}
	}
}
