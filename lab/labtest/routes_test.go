package labtest

import (
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
)

var shared = netip.MustParsePrefix("198.19.8.1/32")

// routed is a host with a route over two hops, one of them twice as often.
func routed(t *testing.T, policy string) *Host {
	t.Helper()
	h := NewHost(t)
	h.AddLink(Link{Name: "lan", Prefix: netip.MustParsePrefix("198.19.0.1/24")})
	h.AddLink(Link{Name: "br", Prefix: netip.MustParsePrefix("198.18.0.1/24")})
	h.GiveSysctl("net.ipv4.fib_multipath_hash_policy", policy)
	hops := []lab.Hop{{Via: ports[0].Addr(), Link: "br", Weight: 2}, {Via: ports[1].Addr(), Link: "br", Weight: 1}}
	if err := h.Routes().Set(shared, hops); err != nil {
		t.Fatal(err)
	}
	return h
}

// With policy 0 a client's connections all take one hop, with any other they
// take each by its weight; each takes the same again.
func TestRouteIsChosenByPolicy(t *testing.T) {
	for policy, least := range map[string]int{"0": 0, "1": 800, "3": 800} {
		h := routed(t, policy)
		second := 0
		for port := range uint16(3000) {
			p := Packet{In: "lan", Source: netip.AddrPortFrom(netip.MustParseAddr("198.19.0.2"), 1024+port), Destination: netip.AddrPortFrom(shared.Addr(), 80)}
			got := h.Trace(p)
			if again := h.Trace(p); got.Out != "br" || got.Lost != "" || again != got {
				t.Fatalf("%+v, then %+v", got, again)
			}
			if got.Via == ports[1].Addr() {
				second++
			}
		}
		if onlyOne := second == 0 || second == 3000; onlyOne != (least == 0) || !onlyOne && (second < least || second > 1200) {
			t.Errorf("policy %s: %d of 3000 take the hop of weight 1 of 3", policy, second)
		}
	}
}

func TestRoutesRefuse(t *testing.T) {
	h := routed(t, "3")
	for name, hop := range map[string]lab.Hop{
		"a hop that is no neighbour": {Via: netip.MustParseAddr("203.0.113.1"), Link: "br", Weight: 1},
		"a link that is not there":   {Via: ports[0].Addr(), Link: "br1", Weight: 1},
		"a weight of 0":              {Via: ports[0].Addr(), Link: "br"},
		"a weight of 257":            {Via: ports[0].Addr(), Link: "br", Weight: 257},
	} {
		if err := h.Routes().Set(shared, []lab.Hop{hop}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := h.Routes().Set(shared, nil); err == nil {
		t.Error("a route over nothing is taken")
	}
	for range 2 {
		if err := h.Routes().Delete(shared); err != nil {
			t.Error(err)
		}
	}
	if err := h.Shell("ip route del 198.19.8.1"); err == nil {
		t.Error("a route that is not there is deleted")
	}
	if err := h.Shell("ip route add default via 198.18.0.2"); err == nil {
		t.Error("any route is understood")
	}
	h.AssertPristine(t)
}

func TestVirtualServersRefuse(t *testing.T) {
	good := lab.VirtualServer{
		At: netip.MustParseAddrPort("198.19.0.1:8080"), Transport: "tcp", Scheduler: "rr",
		Servers: []lab.RealServer{{At: ports[0], Weight: 1}},
	}
	h := routed(t, "0")
	v, err := h.VirtualServers()
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*lab.VirtualServer){
		"an unknown scheduler":        func(s *lab.VirtualServer) { s.Scheduler = "dice" },
		"a loopback address":          func(s *lab.VirtualServer) { s.At = netip.MustParseAddrPort("127.0.0.1:8080") },
		"an address of another host":  func(s *lab.VirtualServer) { s.At = netip.MustParseAddrPort("203.0.113.1:8080") },
		"an unknown transport":        func(s *lab.VirtualServer) { s.Transport = "sctp" },
		"a server of another version": func(s *lab.VirtualServer) { s.Servers[0].At = netip.MustParseAddrPort("[::2]:80") },
		"a weight of 0":               func(s *lab.VirtualServer) { s.Servers[0].Weight = 0 },
		"a server twice":              func(s *lab.VirtualServer) { s.Servers = append(s.Servers, s.Servers[0]) },
	} {
		bad := good
		bad.Servers = []lab.RealServer{good.Servers[0]}
		spoil(&bad)
		if err := v.Set(bad); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if err := v.Set(good); err != nil {
		t.Error(err)
	}
	if err := h.Shell("ipvsadm -A -t 198.19.0.1:8080 -s rr"); err == nil {
		t.Error("a virtual server is made twice")
	}
	for range 2 {
		if err := v.Delete(good.At, "tcp"); err != nil {
			t.Error(err)
		}
	}
	if err := h.Shell("ipvsadm -D -t 198.19.0.1:8080"); err == nil {
		t.Error("a virtual server that is not there is deleted")
	}
}
