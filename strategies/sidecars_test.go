package strategies

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/servers"
)

// What is true of every strategy that is programs beside the replicas, with the
// real programs, between namespaces.

// sidecarVariants are those strategies, which carry HTTP or what is below it.
func sidecarVariants(t *testing.T) []lab.Strategy {
	return slices.DeleteFunc(Variants(), func(s lab.Strategy) bool {
		p := bare("aaaaaa").of(s)
		n := s.Needs()
		_, unasked := s.(lab.Targeter) // its programs take no connections of clients
		if unasked || p.placement != lab.OwnNetns || n.Publish != lab.PublishNone || len(n.Labels) > 0 || n.WhyNotFor(lab.HTTP1) != "" {
			return true
		}
		steps := p.steps(t, s, p.replicas(0, 1))
		return len(steps) == 0 || !onlySidecars(steps)
	})
}

// What `make tools` puts into bin is found by tests as it is by bin/portlab.
func TestMain(m *testing.M) {
	built, err := filepath.Glob("../bin/*")
	if err != nil {
		panic(err)
	}
	for _, path := range built {
		name := "PORTLAB_" + strings.ToUpper(strings.ReplaceAll(filepath.Base(path), "-", "_"))
		if path, err = filepath.Abs(path); err == nil && os.Getenv(name) == "" {
			err = os.Setenv(name, path)
		}
		if err != nil {
			panic(err)
		}
	}
	labtest.Main(m)
}

// newProxyWorld is a world whose replicas are instrumented servers.
func newProxyWorld(t *testing.T, p place, replicas int) *world {
	t.Helper()
	w := newWorld(t, p, 0)
	w.replicas = p.replicas(0, replicas)
	for i, r := range w.replicas {
		w.addPeer(t, r.Address.Addr())
		w.serveHTTP(t, w.peers[i], r)
	}
	return w
}

func (w *world) serveHTTP(t *testing.T, ns *kernel.Namespace, r lab.Replica) {
	t.Helper()
	var s *servers.Server
	err := ns.Do(t.Context(), func() (err error) {
		s, err = servers.Listen(t.Context(), servers.Config{
			Instance: r.Instance, Hosts: []netip.Addr{r.Address.Addr()}, Port: r.Address.Port(),
		}, io.Discard)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := s.Serve(ctx); err != nil {
			t.Log(err) // what a client left behind is cut off
		}
	})
	t.Cleanup(func() { stop(); serving.Wait() })
}

// get asks the front for one page, on a connection of its own, and gives who
// answered.
func (w *world) get(ctx context.Context, from *kernel.Namespace, front netip.AddrPort) (string, error) {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return w.open(ctx, from, netip.Addr{}, front)
		},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+front.String()+"/", nil)
	if err != nil {
		return "", err
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return strings.TrimSpace(strings.TrimPrefix(string(text), "Hello from ")), err
}

// counted are who answered n requests from a vantage.
func (w *world) counted(t *testing.T, v lab.Vantage, n int) []int {
	t.Helper()
	all := make([]int, len(w.replicas))
	for range n {
		name, err := w.get(t.Context(), w.stands(v), w.front.At(v))
		if err != nil {
			t.Fatalf("from %s: %v", v, err)
		}
		i := slices.IndexFunc(w.replicas, func(r lab.Replica) bool { return r.Instance == name })
		if i < 0 {
			t.Fatalf("from %s: answered by %q", v, name)
		}
		all[i]++
	}
	return all
}

// TestSidecarsOnTheKernel: every vantage is served as the strategy says, a
// changed set of replicas is followed with nothing lost, and nothing is left.
func TestSidecarsOnTheKernel(t *testing.T) {
	t.Parallel() // each of them in namespaces of its own
	for _, s := range sidecarVariants(t) {
		for name, p := range map[string]place{"bare": bare(lab.NewRunID()), "bare6": bare6(lab.NewRunID())} {
			if name == "bare6" && lab.FullName(s) != s.Name() {
				continue // what a setting changes has nothing to do with the IP version
			}
			t.Run(lab.FullName(s)+"/"+name, func(t *testing.T) {
				t.Parallel()
				sidecarsOnTheKernel(t, newProxyWorld(t, p.of(s), 3), s)
			})
		}
	}
}

func sidecarsOnTheKernel(t *testing.T, w *world, s lab.Strategy) {
	h := kernel.NewHost(w.host, kernel.NewSidecars(w.host, w.facts.Run, labtest.Binary(t)))
	err := lab.Probed(t.Context(), h, s, w.facts.Family)
	labtest.Require(t, lab.FullName(s), err == nil, fmt.Sprint(err)) // a kernel may lack what one setting needs
	two := w.replicas[:2]
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, w.steps(t, s, two))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Revert(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	w.settled(t, two)
	for _, v := range lab.Vantages() {
		if s.Needs().WhyNotFrom(v, w.facts.Family) == "" {
			w.spread(t, s, w.counted(t, v, 60))
		}
	}
	w.follows(t, s, x)
	if err := x.Revert(t.Context()); err != nil {
		t.Error(err)
	}
	if name, err := w.get(t.Context(), w.client, w.front.At(lab.External)); err == nil {
		t.Errorf("%s answers still", name)
	}
}

// settled waits until the front is answered, as a run does.
func (w *world) settled(t *testing.T, by []lab.Replica) {
	t.Helper()
	await(t, func() bool {
		for range 2 * len(by) {
			if _, err := w.get(t.Context(), w.client, w.front.At(lab.External)); err != nil {
				return false
			}
		}
		return true
	})
}

// spread holds counts of two replicas against what a strategy is meant to do.
func (w *world) spread(t *testing.T, s lab.Strategy, got []int) {
	t.Helper()
	switch s.Needs().Null {
	case lab.RoundRobin:
		workers := 1
		if c, ok := s.(lab.Concurrent); ok {
			workers = c.Workers()
		}
		if d := got[0] - got[1]; max(d, -d) > workers {
			t.Errorf("%v, want them in turn", got)
		}
	case lab.Random, lab.Hash:
		near(t, got[:2], []float64{0.5, 0.5})
	case lab.HashAddress:
		if min(got[0], got[1]) != 0 {
			t.Errorf("%v, want one client to reach one replica", got)
		}
	}
	if got[2] != 0 {
		t.Errorf("%v, want two replicas", got)
	}
}

// follows adds a replica and takes one away while clients call the front, each
// time on a new connection, and counts those who got no answer.
func (w *world) follows(t *testing.T, s lab.Strategy, x *lab.Exposure) {
	t.Helper()
	var asked, lost atomic.Int64
	var seen [3]atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				name, err := w.get(context.WithoutCancel(ctx), w.client, w.front.At(lab.External))
				asked.Add(1)
				if err != nil {
					lost.Add(1)
					continue
				}
				for i, r := range w.replicas {
					if r.Instance == name {
						seen[i].Add(1)
					}
				}
			}
		})
	}
	update := func(to []lab.Replica) {
		if err := x.Update(t.Context(), w.steps(t, s, to)); err != nil {
			stop()
			t.Fatal(err)
		}
	}
	hashed := s.Needs().Null == lab.HashAddress // one client says nothing of the others' replicas
	update(w.replicas)
	await(t, func() bool { return hashed || seen[2].Load() > 0 })
	update(w.replicas[1:])
	left := func() bool { // it gets none of a hundred
		before, begun := seen[0].Load(), asked.Load()
		for asked.Load() < begun+100 {
			time.Sleep(time.Millisecond)
		}
		return seen[0].Load() == before
	}
	for late := time.Now().Add(10 * time.Second); !left(); {
		if time.Now().After(late) {
			t.Errorf("%s is asked still", w.replicas[0].Instance)
			break
		}
	}
	stop()
	clients.Wait()
	t.Logf("%d of %d were lost", lost.Load(), asked.Load())
	if why := mayLose[s.Name()]; why == "" && lost.Load() > 0 {
		t.Error("nothing may be lost")
	}
}

// mayLose says why a strategy cannot take a replica away without a loss.
var mayLose = map[string]string{
	"docker-proxy":          forOneReplicaEach,
	"socat":                 forOneReplicaEach,
	"caddy":                 caddyReload,
	"systemd-socket-proxyd": forOneReplicaEach,
}
