package strategies

import (
	"net/netip"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// The one rule lets the client reach the replicas, and nobody and nothing else.
func TestDirectAdmitsTheClientToTheReplicas(t *testing.T) {
	p := onEngine("aaaaaa")
	to := p.replicas(0, 3)
	from := func(client, replica string) labtest.Packet {
		return labtest.Packet{In: "lan", Source: addr(client), Destination: addr(replica)}
	}
	for _, c := range []struct {
		strategy lab.Strategy
		packet   labtest.Packet
		arrives  bool
	}{
		{direct{}, from("198.19.0.2:1", "198.18.0.2:80"), true},
		{direct{}, from("198.19.0.2:1", "198.18.0.3:80"), false},
		{direct{}, from("198.19.0.2:1", "198.18.0.2:22"), false},
		{direct{}, from("198.19.0.3:1", "198.18.0.2:80"), false},
		{clientSide{}, from("198.19.0.2:1", "198.18.0.2:80"), true},
		{clientSide{}, from("198.19.0.2:1", "198.18.0.4:80"), true},
		{clientSide{}, from("198.19.0.2:1", "198.18.0.4:22"), false},
		{clientSide{}, from("198.19.0.3:1", "198.18.0.4:80"), false},
	} {
		h := p.exposed(t, c.strategy, to)
		if got := h.Trace(c.packet); (got.Lost == "") != c.arrives {
			t.Errorf("%s: %+v: %+v, want it to arrive: %v", c.strategy.Name(), c.packet, got, c.arrives)
		}
	}
}

// With several clients the rule is of their network, and of the transport.
func TestDirectAdmitsAllClients(t *testing.T) {
	p := onEngine("aaaaaa").speaking(lab.UDP)
	p.facts.Clients = netip.MustParsePrefix("198.19.0.0/22")
	h := p.exposed(t, direct{}, p.replicas(0, 1))
	for _, c := range []struct {
		packet  labtest.Packet
		arrives bool
	}{
		{labtest.Packet{Protocol: "udp", In: "lan", Source: addr("198.19.0.2:1"), Destination: addr("198.18.0.2:80")}, true},
		{labtest.Packet{Protocol: "udp", In: "lan", Source: addr("198.19.3.233:1"), Destination: addr("198.18.0.2:80")}, true},
		{labtest.Packet{Protocol: "tcp", In: "lan", Source: addr("198.19.0.2:1"), Destination: addr("198.18.0.2:80")}, false},
		{labtest.Packet{Protocol: "udp", In: "lan", Source: addr("198.19.4.2:1"), Destination: addr("198.18.0.2:80")}, false},
	} {
		if got := h.Trace(c.packet); (got.Lost == "") != c.arrives {
			t.Errorf("%+v: %+v, want it to arrive: %v", c.packet, got, c.arrives)
		}
	}
}

func TestDirectTargets(t *testing.T) {
	p := onEngine("aaaaaa")
	to := p.replicas(0, 3)
	if got := lab.Targets(direct{}, p.front, lab.External, to); len(got) != 1 || got[0] != to[0].Address {
		t.Errorf("direct dials %v, want the first replica", got)
	}
	if got := lab.Targets(clientSide{}, p.front, lab.External, to); len(got) != 3 || got[2] != to[2].Address {
		t.Errorf("client-side dials %v, want all replicas", got)
	}
	if got := (direct{}).Targets(p.front, lab.External, nil); len(got) != 0 {
		t.Errorf("direct dials %v without a replica", got)
	}
}

// Beside an engine, answers from links on a parent are let through to the
// client, and nothing else that replicas send it.
func TestDirectAdmitsAnswersFromLinksOnAParent(t *testing.T) {
	for _, k := range []lab.LinkKind{lab.LinkMacvlan, lab.LinkIPvlan} {
		p := onEngine("aaaaaa").linked(k)
		h := p.exposed(t, direct{}, p.replicas(0, 2))
		for _, c := range []struct {
			from, to string
			arrives  bool
		}{
			{"198.18.0.2:80", "198.19.0.2:40000", true},
			{"198.18.0.3:80", "198.19.0.2:40000", false},
			{"198.18.0.2:22", "198.19.0.2:40000", false},
			{"198.18.0.2:80", "198.19.0.3:40000", false},
		} {
			got := h.Trace(labtest.Packet{In: p.comesIn(), Source: addr(c.from), Destination: addr(c.to)})
			if (got.Lost == "") != c.arrives {
				t.Errorf("%s: %s to %s: %+v, want it to arrive: %v", k, c.from, c.to, got, c.arrives)
			}
		}
	}
}
