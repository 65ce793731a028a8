package netns

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
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
			"own":     {Placement: lab.OwnNetns},
			"shared":  {Placement: lab.SharedNetns, ReusePort: true},
			"host":    {Placement: lab.HostNetns, ReusePort: true},
			"inherit": {Placement: lab.OwnNetns, Inherit: true},
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
						if err != nil || !strings.HasPrefix(said, "Hello from ") || name == "own" && said != "Hello from "+r.Instance {
							t.Errorf("%s asked from %s says %q, %v", r.Instance, v, said, err)
						}
					}
				}
			})
		}
	}
}

func BenchmarkOpenAndClose(b *testing.B) {
	for _, n := range []int{2, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				begun := time.Now()
				f := openFleet(b, lab.FleetSpec{Placement: lab.OwnNetns, Replicas: n, Family: lab.IPv4})
				opened := time.Now()
				if err := f.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(opened.Sub(begun).Microseconds())/1000/float64(n), "ms-open/replica")
				b.ReportMetric(float64(time.Since(opened).Microseconds())/1000/float64(n), "ms-close/replica")
			}
		})
	}
}

func BenchmarkPlumbing(b *testing.B) {
	for _, n := range []int{2, 10, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				f := newFleet(lab.FleetSpec{Run: lab.NewRunID(), Placement: lab.OwnNetns, Replicas: n, Family: lab.IPv4}, "")
				begun := time.Now()
				if err := f.makeHost(b.Context()); err != nil {
					b.Fatal(err)
				}
				if err := together(b.Context(), plansOf(f.spec, f.blueprint.Front), f.makeNamespace); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(time.Since(begun).Microseconds())/1000/float64(n), "ms-open/replica")
				f.Close(b.Context())
			}
		})
	}
}
