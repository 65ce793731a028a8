package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Replicas of every placement answer datagrams where the blueprint says, from
// everywhere, in both IP versions.
func TestReplicasAnswerDatagrams(t *testing.T) {
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		for _, spec := range placements {
			t.Run(fmt.Sprintf("%s-%v-%d", spec.Placement, spec.Inherit, ip), func(t *testing.T) {
				spec.Family, spec.Replicas, spec.Protocol = ip, 3, lab.UDP
				f := openFleet(t, spec)
				for _, v := range lab.Vantages() {
					at, err := f.Place(t.Context(), v)
					if err != nil {
						t.Fatal(err)
					}
					for _, r := range f.Blueprint().Replicas {
						answer, err := exchange(t.Context(), at, netip.Addr{}, r.Address)
						if err != nil || !strings.HasPrefix(answer, `7 v=1, instance="`) {
							t.Errorf("%s asked from %s says %q, %v", r.Instance, v, answer, err)
						}
					}
				}
			})
		}
	}
}

// exchange sends one datagram and gives the answer to it.
func exchange(ctx context.Context, from lab.Place, own netip.Addr, to netip.AddrPort) (string, error) {
	d := net.Dialer{}
	if own.IsValid() {
		d.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(own, 0))
	}
	var c net.Conn
	err := from.Do(ctx, func() (err error) {
		c, err = d.DialContext(ctx, "udp", to.String())
		return err
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	err = errors.Join(err, c.SetDeadline(time.Now().Add(2*time.Second)))
	if _, e := c.Write([]byte("portlab 7 /")); e != nil {
		return "", errors.Join(err, e)
	}
	answer := make([]byte, 1500)
	n, e := c.Read(answer)
	return string(answer[:n]), errors.Join(err, e)
}

// A place gives as many source addresses as were asked for, and each can be
// called from.
func TestPlacesHaveSources(t *testing.T) {
	for _, c := range []struct {
		vantage lab.Vantage
		ip      lab.Family
		clients int
	}{{lab.External, lab.IPv4, 300}, {lab.External, lab.IPv6, 300}, {lab.Localhost, lab.IPv4, 300}, {lab.Localhost, lab.IPv6, 0}, {lab.External, lab.IPv4, 1}} {
		t.Run(fmt.Sprintf("%s-%d-%d", c.vantage, c.ip, c.clients), func(t *testing.T) {
			f := openFleet(t, lab.FleetSpec{
				Placement: lab.HostNetns, Replicas: 1, Family: c.ip, Vantage: c.vantage, Clients: c.clients, Protocol: lab.UDP,
			})
			at, err := f.Place(t.Context(), c.vantage)
			if err != nil {
				t.Fatal(err)
			}
			sources := at.(lab.SourcePlace).Sources()
			if len(sources) != max(1, c.clients) {
				t.Fatalf("%d sources, want %d", len(sources), c.clients)
			}
			for _, own := range sources {
				answer, err := exchange(t.Context(), at, own, f.Blueprint().Front.At(c.vantage))
				if saw := `client="` + own.String() + ":"; err != nil || !strings.Contains(strings.Map(bare, answer), saw) {
					t.Fatalf("called from %s: %q, %v", own, answer, err)
				}
			}
		})
	}
}

// bare drops the brackets around an IPv6 address.
func bare(r rune) rune {
	if r == '[' || r == ']' {
		return -1
	}
	return r
}

var _ lab.SourcePlace = kernel.Place{}
