package scenarios_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/lab/step"
	"github.com/portlab/portlab/strategies"
)

// What rules cost as replicas become many: to put them there, and to each new
// connection.

// growing are the numbers of replicas.
var growing = []int{2, 64, 1000}

// described are a strategy's steps for a fleet as if it had n replicas, all of
// them the first: what differs is then the rules alone, and not how many
// processes must wake.
func described(b *testing.B, name string, x lab.Blueprint, n int) []lab.Step {
	b.Helper()
	s, err := strategies.Find(name)
	if err != nil {
		b.Fatal(err)
	}
	steps, err := s.Steps(x.Facts, x.Front, slices.Repeat(x.Replicas[:1], n))
	if err != nil {
		b.Fatal(err)
	}
	return steps
}

// BenchmarkInstall measures how long the rules for n replicas take to be put
// there: dnat's with one process for each rule, as go-iptables has it; the same
// in one transaction, as portlab does it; nft's in one transaction by netlink.
// Medians over b.N rounds, in each of which all three are done one after the
// other.
func BenchmarkInstall(b *testing.B) {
	bench(b, "netns")
	for _, n := range growing {
		b.Run(fmt.Sprint(n), func(b *testing.B) { install(b, n) })
	}
}

func install(b *testing.B, n int) {
	x, err := netns.New(netns.Options{}).Draft(b.Context(), fleetSpec())
	if err != nil {
		b.Fatal(err)
	}
	chain := described(b, "dnat", x, n)[0].(step.Chain)
	table := described(b, "nft", x, n)[0].(step.Table)
	var each, once, nft []float64
	for b.Loop() {
		each = append(each, onFreshHost(b, func(h lab.Host) error { return oneByOne(h, chain) }))
		once = append(once, onFreshHost(b, func(h lab.Host) error { return chain.Apply(b.Context(), h) }))
		nft = append(nft, onFreshHost(b, func(h lab.Host) error { return table.Apply(b.Context(), h) }))
	}
	b.ReportMetric(1e3*median(each), "ms/dnat-by-rule")
	b.ReportMetric(1e3*median(once), "ms/dnat")
	b.ReportMetric(1e3*median(nft), "ms/nft")
	b.ReportMetric(median(each)/median(once), "by-rule/dnat")
	b.ReportMetric(median(once)/median(nft), "dnat/nft")
	b.ReportMetric(0, "ns/op")
}

// oneByOne fills a chain by one process for each rule.
func oneByOne(h lab.Host, c step.Chain) error {
	rules, err := h.Rules(c.Family)
	if err != nil {
		return err
	}
	if err := rules.NewChain(c.Table, c.Name); err != nil {
		return err
	}
	for _, r := range slices.Backward(c.Rules) {
		if err := rules.Insert(c.Table, c.Name, r...); err != nil {
			return err
		}
	}
	return nil
}

// onFreshHost times a change of a namespace that nothing has changed before.
func onFreshHost(b *testing.B, change func(lab.Host) error) float64 {
	b.Helper()
	ns, err := kernel.New()
	if err != nil {
		b.Fatal(err)
	}
	defer ns.Close()
	h := kernel.NewHost(ns, nil)
	if _, err := h.Rules(lab.IPv4); err != nil { // find the program
		b.Fatal(err)
	}
	return seconds(b, func() {
		if err := change(h); err != nil {
			b.Fatal(err)
		}
	})
}

func fleetSpec() lab.FleetSpec {
	return lab.FleetSpec{Run: lab.NewRunID(), Family: lab.IPv4, Placement: lab.OwnNetns, Replicas: 1, Vantage: lab.External, Protocol: lab.HTTP1}
}

// BenchmarkPath measures what rules for n replicas add to the time in which a
// client of another machine is connected: to the replica directly, by dnat and
// by nft, in worlds of their own, one connection of each in turn. In each world
// all rules lead to one replica. The figures are the 10th percentiles of b.N
// connections, which a busy machine disturbs least.
func BenchmarkPath(b *testing.B) {
	bench(b, "netns")
	for _, n := range growing {
		b.Run(fmt.Sprint(n), func(b *testing.B) { path(b, n) })
	}
}

func path(b *testing.B, n int) {
	var ways []*way
	for _, name := range []string{"direct", "dnat", "nft"} {
		ways = append(ways, newWay(b, name, n))
	}
	for b.Loop() {
		for _, w := range ways {
			w.took = append(w.took, w.connect(b))
		}
	}
	tenth := func(w *way) float64 {
		slices.Sort(w.took)
		return w.took[len(w.took)/10]
	}
	direct := tenth(ways[0])
	b.ReportMetric(1e6*direct, "us/direct")
	for _, w := range ways[1:] {
		b.ReportMetric(1e6*(tenth(w)-direct), "us-more/"+w.name)
		b.ReportMetric(tenth(w)/direct, w.name+"/direct")
	}
	b.ReportMetric(0, "ns/op")
}

// way is a world with a strategy, and the times to connect there in seconds.
type way struct {
	name   string
	client lab.Place
	to     netip.AddrPort
	took   []float64
}

func newWay(b *testing.B, name string, n int) *way {
	b.Helper()
	fleet, err := netns.New(netns.Options{Binary: labtest.Binary(b)}).Open(b.Context(), fleetSpec())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := fleet.Close(b.Context()); err != nil {
			b.Error(err)
		}
	})
	x := fleet.Blueprint()
	if _, err := lab.Expose(b.Context(), fleet.Host(), &labtest.Journal{}, described(b, name, x, n)); err != nil {
		b.Fatal(err)
	}
	client, err := fleet.Place(b.Context(), lab.External)
	if err != nil {
		b.Fatal(err)
	}
	w := &way{name: name, client: client, to: x.Front.At(lab.External)}
	if name == "direct" {
		w.to = x.Replicas[0].Address
	}
	w.connect(b) // the first finds out who is where
	return w
}

// connect connects once, and resets the connection, so that no port stays
// taken. It gives how long connect(2) took, in seconds.
func (w *way) connect(b *testing.B) float64 {
	b.Helper()
	to := &unix.SockaddrInet4{Port: int(w.to.Port()), Addr: w.to.Addr().As4()}
	var took time.Duration
	err := w.client.Do(b.Context(), func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return err
		}
		begun := time.Now()
		err = unix.Connect(fd, to)
		took = time.Since(begun)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return took.Seconds()
}
