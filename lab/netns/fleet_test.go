package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/labtest"
)

// openFleet opens a fleet that is closed when the test ends.
func openFleet(t testing.TB, spec lab.FleetSpec) *fleet {
	t.Helper()
	labtest.Require(t, "root", kernel.MayMakeNamespaces(), "namespaces need CAP_SYS_ADMIN and CAP_NET_ADMIN")
	requireLink(t, spec.Link)
	spec.Run = lab.NewRunID()
	opened, err := New(Options{Binary: labtest.Binary(t)}).Open(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return opened.(*fleet)
}

// requireLink skips t where the kernel has no links of a kind.
func requireLink(t testing.TB, k lab.LinkKind) {
	t.Helper()
	h, err := New(Options{}).host()
	if err == nil {
		err = h.CheckLink(t.Context(), k)
	}
	labtest.Require(t, string(k), !errors.Is(err, lab.ErrUnsupported), fmt.Sprint(err))
	if err != nil {
		t.Fatal(err)
	}
}

// ask asks what listens at an address, from a place, and gives the first line
// of its body.
func ask(ctx context.Context, from lab.Place, at netip.AddrPort) (string, error) {
	var c net.Conn
	err := from.Do(ctx, func() (err error) {
		c, err = net.DialTimeout("tcp", at.String(), 2*time.Second)
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
	text, err := io.ReadAll(c)
	_, body, _ := strings.Cut(string(text), "\r\n\r\n")
	return strings.TrimSpace(body), err
}

// Every replica of every placement answers where the blueprint says, in both
// IP versions.
func TestReplicasAnswerWhereTheyAreSaidTo(t *testing.T) {
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		for name, spec := range map[string]lab.FleetSpec{
			"own":            {Placement: lab.OwnNetns},
			"shared":         {Placement: lab.SharedNetns, ReusePort: true},
			"host":           {Placement: lab.HostNetns, ReusePort: true},
			"own ports":      {Placement: lab.HostNetns, OwnPorts: true},
			"shared address": {Placement: lab.OwnNetns, SharedAddress: true},
			"inherit":        {Placement: lab.OwnNetns, Inherit: lab.InheritOwn},
			"shared sockets": {Placement: lab.OwnNetns, Inherit: lab.InheritShared},
			"macvlan":        {Placement: lab.OwnNetns, Link: lab.LinkMacvlan},
			"ipvlan":         {Placement: lab.OwnNetns, Link: lab.LinkIPvlan},
			"macvlan shared": {Placement: lab.OwnNetns, Link: lab.LinkMacvlan, SharedAddress: true},
		} {
			t.Run(fmt.Sprintf("%s-%d", name, ip), func(t *testing.T) {
				spec.Family, spec.Replicas = ip, 3
				f := openFleet(t, spec)
				for _, v := range lab.Vantages() {
					at, err := f.Place(t.Context(), v)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range f.Blueprint().Replicas {
						said, err := ask(t.Context(), at, r.Address)
						if err != nil || !strings.HasPrefix(said, "Hello from ") || slices.Contains([]string{"own", "own ports", "macvlan", "ipvlan"}, name) && said != "Hello from "+r.Instance {
							t.Errorf("%s asked from %s says %q, %v", r.Instance, v, said, err)
						}
					}
				}
			})
		}
	}
}

// A fleet grows and shrinks while it serves, and counts connections.
func TestFleetScales(t *testing.T) {
	for _, k := range lab.LinkKinds() {
		t.Run(string(k), func(t *testing.T) { fleetScales(t, k) })
	}
}

func fleetScales(t *testing.T, k lab.LinkKind) {
	f := openFleet(t, lab.FleetSpec{Placement: lab.OwnNetns, Replicas: 2, Family: lab.IPv4, Link: k})
	added, err := f.Add(t.Context(), 2)
	if err != nil || len(added) != 2 || added[1].Instance != "qux" {
		t.Fatalf("added %v, %v", added, err)
	}
	if err := f.Remove(t.Context(), "foo"); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, r := range f.Blueprint().Replicas {
		left = append(left, r.Instance)
		if said, err := ask(t.Context(), f.client, r.Address); said != "Hello from "+r.Instance {
			t.Errorf("%s says %q, %v", r.Instance, said, err)
		}
	}
	if !slices.Equal(left, []string{"bar", "baz", "qux"}) {
		t.Errorf("left are %v", left)
	}
	counts, err := f.Accepted(t.Context())
	if err != nil || !maps.Equal(counts, map[string]uint64{"bar": 1, "baz": 1, "qux": 1}) {
		t.Errorf("accepted %v, %v", counts, err)
	}
	if err := f.Remove(t.Context(), "foo"); err == nil {
		t.Error("what is gone was removed again")
	}
	at, err := f.Place(t.Context(), lab.Peer)
	if err != nil {
		t.Fatal(err)
	}
	if said, err := ask(t.Context(), at, added[1].Address); said != "Hello from qux" {
		t.Errorf("a peer hears %q, %v", said, err)
	}
	if _, err := f.Add(t.Context(), maxReplicas); err == nil {
		t.Error("it has more replicas than its bridge has ports")
	}
}

// A fleet that cannot be opened says why, and leaves no process.
func TestFailedOpenLeavesNothing(t *testing.T) {
	labtest.Require(t, "root", kernel.MayMakeNamespaces(), "namespaces need CAP_SYS_ADMIN and CAP_NET_ADMIN")
	before, err := labtest.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		binary, says string
		timeout      time.Duration
	}{
		"no program":   {"/nonexistent/portlab", "no such file", 0},
		"ends at once": {"/bin/false", "exit status 1", 0},
		"never ready":  {"testdata/silent", "not ready in time", 50 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Binary: c.binary}).Open(t.Context(), lab.FleetSpec{
				Run: lab.NewRunID(), Replicas: 20, Placement: lab.OwnNetns, Family: lab.IPv4, ReadyTimeout: c.timeout,
			})
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Count(err.Error(), "\n") > 3 {
				t.Errorf("%v, want a short error with %q", err, c.says)
			}
			same(t, before)
		})
	}
}

// Replicas run http_server where it stands beside portlab, and portlab where
// it does not.
func TestProgramOfReplicas(t *testing.T) {
	dir := t.TempDir()
	portlab, alone := filepath.Join(dir, "portlab"), filepath.Join(dir, "http_server")
	if c := server(portlab); c.Path != portlab || !slices.Equal(c.Args, []string{"serve"}) {
		t.Errorf("portlab alone: %+v", c)
	}
	for mode, path := range map[os.FileMode]string{0o644: portlab, 0o755: alone} {
		if err := errors.Join(os.WriteFile(alone, nil, mode), os.Chmod(alone, mode)); err != nil {
			t.Fatal(err)
		}
		if c := server(portlab); c.Path != path {
			t.Errorf("with an http_server of mode %o: %+v", mode, c)
		}
	}
}

// BenchmarkOpenAndClose opens and closes fleets: how long that takes for each
// replica, and how much of it is namespaces and links.
func BenchmarkOpenAndClose(b *testing.B) {
	labtest.Binary(b) // is built before the clock runs
	for _, n := range []int{2, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var plumb, open, end time.Duration
			spec := lab.FleetSpec{Placement: lab.OwnNetns, Replicas: n, Family: lab.IPv4}
			for b.Loop() {
				begun := time.Now()
				bare := newFleet(spec, "")
				if err := errors.Join(bare.makeHost(b.Context()), bare.makeClient(b.Context()),
					together(b.Context(), plansOf(spec, bare.blueprint.Front), bare.makeNamespace)); err != nil {
					b.Fatal(err)
				}
				plumb += time.Since(begun)
				if err := bare.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				begun = time.Now()
				f := openFleet(b, spec)
				open += time.Since(begun)
				begun = time.Now()
				if err := f.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				end += time.Since(begun)
			}
			each := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(n*b.N) }
			b.ReportMetric(each(plumb), "ms-links/replica")
			b.ReportMetric(each(open), "ms-open/replica")
			b.ReportMetric(each(end), "ms-close/replica")
		})
	}
}
