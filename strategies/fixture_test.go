package strategies

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/step"
)

// place is a run on a fake host: where its replicas are and what its front is.
type place struct {
	facts     lab.Facts
	front     lab.Front
	publishes bool          // the runtime leads the front to replicas where it is asked to
	placement lab.Placement // of the replicas; empty: OwnNetns
	ownPorts  bool          // each replica has one in the host's network
	inherits  bool          // each replica has a socket of the front's
	shared    bool          // the front's address is the replicas'
}

// onEngine is a run beside a Docker engine.
func onEngine(run lab.RunID) place {
	front := lab.Front{
		Address: netip.MustParseAddr("198.19.0.1"), Loopback: netip.MustParseAddr("127.0.0.1"), Port: 8080,
	}
	return place{front: front, publishes: true, facts: lab.Facts{
		Run: run, Family: lab.IPv4, Bridge: run.Link("b"),
		Subnet: netip.MustParsePrefix("198.18.0.0/22"), Gateway: netip.MustParseAddr("198.18.0.1"),
		ForwardChain: "DOCKER-USER", Client: netip.MustParseAddr("198.19.0.2"), Clients: netip.MustParsePrefix("198.19.0.2/32"),
		Protocol: lab.HTTP1, Transport: "tcp",
		SidecarListen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:8080")}, Engine: "unix:///var/run/docker.sock",
	}}
}

// bare is a run in a host of its own: nothing drops, and nothing is published.
func bare(run lab.RunID) place {
	p := onEngine(run)
	p.publishes, p.facts.ForwardChain, p.facts.Engine = false, "", ""
	return p
}

// bare6 is bare over IPv6, with the addresses of RFC 5180.
func bare6(run lab.RunID) place {
	p := bare(run)
	p.front = lab.Front{
		Address: netip.MustParseAddr("2001:2:0:19::1"), Loopback: netip.IPv6Loopback(), Port: 8080,
	}
	p.facts.Family, p.facts.Client = lab.IPv6, netip.MustParseAddr("2001:2:0:19::2")
	p.facts.Clients = netip.PrefixFrom(p.facts.Client, 128)
	p.facts.Subnet, p.facts.Gateway = netip.MustParsePrefix("2001:2:0:18::/64"), netip.MustParseAddr("2001:2:0:18::1")
	p.facts.SidecarListen = []netip.AddrPort{netip.MustParseAddrPort("[::]:8080")}
	return p
}

// places are all of them, for one run.
func places(run lab.RunID) map[string]place {
	return map[string]place{
		"engine": onEngine(run), "bare": bare(run), "bare6": bare6(run),
		"engine-udp": onEngine(run).speaking(lab.UDP), "bare6-udp": bare6(run).speaking(lab.UDP),
		"macvlan": onEngine(run).linked(lab.LinkMacvlan), "ipvlan": onEngine(run).linked(lab.LinkIPvlan),
		"ipvlan6": bare6(run).linked(lab.LinkIPvlan),
	}
}

// linked is the place where replicas are on links on a parent.
func (p place) linked(k lab.LinkKind) place {
	p.facts.Link = k
	return p
}

// parent is the name of that parent.
func (p place) parent() string { return p.facts.Run.Link("p") }

// comesIn is the link by which the host gets what a replica sends to an address
// outside of the replicas' network.
func (p place) comesIn() string {
	if p.facts.Link == lab.LinkIPvlan {
		return p.parent()
	}
	return p.facts.Bridge
}

// speaking is the place where clients speak a protocol.
func (p place) speaking(protocol lab.Protocol) place {
	p.facts.Protocol, p.facts.Transport = protocol, protocol.Transport()
	return p
}

// carries says whether a strategy carries what clients of the place speak, works
// with its links, and has the engine there that it follows.
func (p place) carries(s lab.Strategy) bool {
	n := s.Needs()
	return n.WhyNotFor(p.facts.Protocol) == "" && n.WhyNotOn(p.facts.Link) == "" && (p.facts.Engine != "" || len(n.Labels) == 0)
}

// of is the place for a strategy: its replicas are where it wants them.
func (p place) of(s lab.Strategy) place {
	n := s.Needs()
	p.placement, p.ownPorts, p.inherits = n.Placement, n.OwnPorts, n.Inherit != lab.InheritNone
	p.shared = n.SharedAddress
	if p.shared {
		p.front.Address = netip.MustParseAddr("198.19.8.1")
		if p.facts.Family == lab.IPv6 {
			p.front.Address = netip.MustParseAddr("2001:2:0:1a::1")
		}
	}
	return p
}

// lan is the host's own address with the network of the LAN.
func (p place) lan() netip.Prefix {
	own := p.facts.Client.Prev()
	if own.Is4() {
		return netip.PrefixFrom(own, 24)
	}
	return netip.PrefixFrom(own, 64)
}

// packet is a new connection to the front from a vantage; saw is the client's
// address as a replica sees it that is reached by the nat table.
func (p place) packet(v lab.Vantage) (packet labtest.Packet, saw netip.Addr) {
	to, from := p.front.At(v), netip.Addr{}
	switch v {
	case lab.External:
		packet.In, from, saw = "lan", p.facts.Client, p.facts.Client
	case lab.Peer:
		packet.In, from, saw = p.comesIn(), p.replicas(0, 1)[0].Address.Addr(), p.facts.Gateway
	case lab.Localhost:
		from, saw = p.front.Loopback, p.facts.Gateway
	case lab.OnHost:
		from, saw = p.front.Address, p.front.Address
	}
	packet.Protocol = p.facts.Transport
	packet.Source, packet.Destination = netip.AddrPortFrom(from, 40000), to
	return packet, saw
}

// called are the addresses of the front that clients of a strategy may call.
func (p place) called(s lab.Strategy) []netip.AddrPort {
	var all []netip.AddrPort
	for _, v := range []lab.Vantage{lab.OnHost, lab.Localhost} {
		if s.Needs().WhyNotFrom(v, p.facts.Family) == "" {
			all = append(all, p.front.At(v))
		}
	}
	return all
}

// programs are those that any strategy starts beside the replicas of a place.
func (p place) programs() map[string]bool {
	all := map[string]bool{}
	for _, s := range Variants() {
		steps, err := s.Steps(p.facts, p.front, p.replicas(0, 1))
		if err != nil {
			continue // the test of that strategy says so
		}
		for _, st := range steps {
			if c, ok := st.(step.Sidecar); ok {
				all[c.Program] = true
			}
		}
	}
	return all
}

// host is the machine of a place, as a runtime leaves it for the strategy.
func (p place) host(t testing.TB) *labtest.Host {
	h := labtest.NewHost(t)
	for name := range p.programs() {
		h.GiveProgram(name)
	}
	h.AddLink(labtest.Link{Name: "lan", Prefix: p.lan()})
	h.AddLink(labtest.Link{
		Name: p.facts.Bridge, Prefix: netip.PrefixFrom(p.facts.Gateway, p.facts.Subnet.Bits()), Kind: p.facts.Link,
	})
	for _, ip := range []string{"net.ipv4.", "net.ipv6."} { // as a fresh namespace has them
		h.GiveSysctl(ip+"fib_multipath_hash_policy", "0")
		h.GiveSysctl(ip+"fib_multipath_hash_fields", "7")
	}
	bridge := p.facts.Bridge
	if p.facts.Link.OnParent() {
		h.AddLink(labtest.Link{Name: p.parent(), Kind: p.facts.Link})
		bridge = ""
	}
	if p.facts.ForwardChain != "" {
		h.AddEngine(bridge, p.facts.Subnet)
	}
	return h
}

// replicas makes those from the first to the one before the last number.
func (p place) replicas(first, last int) []lab.Replica {
	var all []lab.Replica
	own := p.facts.Gateway
	for range first {
		own = own.Next()
	}
	for i := first; i < last; i++ {
		own = own.Next()
		at := netip.AddrPortFrom(own, 80)
		if p.shared {
			at = netip.AddrPortFrom(own, p.front.Port)
		}
		switch p.placement {
		case lab.SharedNetns:
			at = netip.AddrPortFrom(p.facts.Gateway.Next(), 80) // the sandbox's
		case lab.HostNetns:
			at = p.front.At(lab.OnHost)
		}
		switch {
		case p.ownPorts:
			at = p.front.Beside(i)
		case p.inherits:
			at = p.front.At(lab.OnHost)
		}
		all = append(all, lab.Replica{Instance: lab.InstanceName(i), Address: at, Weight: 1})
	}
	return all
}

func (p place) steps(t testing.TB, s lab.Strategy, to []lab.Replica) []lab.Step {
	t.Helper()
	facts := p.facts
	facts.Published = p.publishes && s.Needs().Publish != lab.PublishNone
	steps, err := s.Steps(facts, p.front, to)
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

// exposed is a host with a strategy's steps applied; they are reverted when
// the test ends, and nothing may be left then.
func (p place) exposed(t *testing.T, s lab.Strategy, to []lab.Replica) *labtest.Host {
	t.Helper()
	h := p.host(t)
	x, err := lab.Expose(t.Context(), h, &labtest.Journal{}, p.steps(t, s, to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Revert(t.Context()); err != nil {
			t.Error(err)
		}
		h.AssertPristine(t)
	})
	return h
}

// everyStrategy runs a test for each variant of each strategy, place and size
// of the fleet.
func everyStrategy(t *testing.T, f func(*testing.T, lab.Strategy, place, int)) {
	for _, s := range Variants() {
		for name, p := range places("aaaaaa") {
			if !p.carries(s) {
				continue
			}
			for _, n := range sizes(s) {
				t.Run(fmt.Sprintf("%s/%s/%d", lab.FullName(s), name, n), func(t *testing.T) { f(t, s, p.of(s), n) })
			}
		}
	}
}

// sizes are those of the fleets that a strategy is tried with: fewer where it
// is another but for a setting.
func sizes(s lab.Strategy) []int {
	if lab.FullName(s) != s.Name() {
		return []int{1, 3}
	}
	return []int{1, 2, 3, 10, 100}
}
