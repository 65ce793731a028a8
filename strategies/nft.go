package strategies

import (
	"context"
	"net/netip"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(nft{method: lab.MethodRandom}) }

// nft lets the kernel pick a replica by one rule of nft(8) and a map, at random
// or by another method: the mechanism of kube-proxy's nftables mode.
type nft struct{ method string }

// The methods that only nft has.
const (
	methodJhash   = "jhash"
	methodSymhash = "symhash"
)

func (nft) Name() string { return "nft" }

// Options implements [lab.Configurable].
func (nft) Options() []lab.Option {
	return []lab.Option{{
		Name: lab.Method, Values: []string{lab.MethodRandom, lab.MethodTurn, methodJhash, methodSymhash},
		Meaning: "how a replica is chosen: numgen random, numgen inc, jhash of the client's address and port, symhash of the flow",
	}}
}

// Settings implements [lab.Configurable].
func (s nft) Settings() map[string]string { return map[string]string{lab.Method: s.method} }

// With implements [lab.Configurable].
func (nft) With(settings map[string]string) lab.Strategy { return nft{settings[lab.Method]} }

// nftMethods say what each method comes to.
var nftMethods = map[string]struct {
	by   lab.NftNumber
	null lab.Null
}{
	lab.MethodRandom: {lab.NftRandom, lab.Random},
	lab.MethodTurn:   {lab.NftTurn, lab.RoundRobin},
	methodJhash:      {lab.NftJhash, lab.Hash},
	methodSymhash:    {lab.NftFlow, lab.Hash},
}

func (s nft) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Root: true, Null: nftMethods[s.method].null,
		Probes: []lab.Probe{nftables()}, NotFromIPv6: notFromLoopbackIPv6(),
	}
}

// nftables asks whether nf_tables is there and may be used.
func nftables() lab.Probe {
	return lab.Probe{Name: "nftables", Check: func(_ context.Context, h lab.Host, _ lab.Family) error {
		_, err := h.Nftables()
		return err
	}}
}

// Weighted marks that the shares follow the weights.
func (nft) Weighted() {}

func (s nft) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	front = served(front)
	if len(front.Endpoints()) == 0 {
		return nil, errNoAddress
	}
	slots, err := slotsOf(to)
	if err != nil {
		return nil, err
	}
	n := nftNAT{facts: f, front: front, pick: lab.NftPick{By: nftMethods[s.method].by, Map: "replicas"}}
	steps := []lab.Step{step.Table{
		NftTable: n.table(slots),
		Flows:    step.Flows{Transport: f.Transport, Front: front.Endpoints(), Replicas: addresses(to)},
	}}
	if front.Loopback.IsValid() {
		steps = append(steps, localnet(f.Bridge))
	}
	if front.Address.IsValid() {
		at := nat{facts: f}
		if f.ForwardChain != "" {
			steps = append(steps, at.accept(netip.AddrPortFrom(front.Address, front.Port)))
		}
		steps = append(steps, hairpin(f, to)...)
	}
	if f.Transport == "udp" {
		steps = append(steps, step.Retrack{Transport: f.Transport, Front: front.Endpoints()})
	}
	return steps, nil
}

func (s nft) About() lab.About {
	return lab.About{
		Summary: "nftables picks a replica by one rule and a map for each connection and rewrites the destination",
		Path:    nftPath(),
		Caveats: nftCaveats(s.method),
		OverUDP: natOverUDP(),
		Sources: nftSources(),
	}
}

func nftPath() []string {
	return []string{
		"The first packet of a connection reaches the front's address and port on the host.",
		"The run's own table has a chain at prerouting (from another machine or a replica) and one at output (from the host itself); both jump to its chain balance.",
		"There one rule makes a number below the count of the replicas and looks it up in a map, which gives the address and port that the destination is rewritten to.",
		"The host routes it to the replicas' bridge; where the filter table drops what is forwarded, a rule of iptables accepts what was translated and meant for the front.",
		"A chain at postrouting rewrites the source only for clients on 127.0.0.1 and for replicas: the others' addresses are kept.",
		"Conntrack remembers the choice: every later packet of the connection, and each answer, is translated with no rule asked.",
	}
}

func nftCaveats(method string) []string {
	all := []string{
		"The choice is made once for each connection: requests on a connection that is kept alive all go to one replica, and so do the streams of one of HTTP/2.",
		"The rule knows nothing of a replica's health: until the map is changed, the share of a dead replica is refused.",
		"One look at a map is all that it costs, however many replicas there are.",
		"A replica sees the bridge's address, not the client's, where the client is on 127.0.0.1 or is a replica.",
		"For 127.0.0.1, route_localnet is set on the replicas' bridge; a rule keeps replicas from the host's loopback address.",
		"An accept in a table of one's own does not overrule a drop elsewhere: beside an engine that drops what is forwarded, one rule of iptables in DOCKER-USER is needed; Docker 29 with its nftables back end has none.",
	}
	switch method {
	case methodJhash, methodSymhash:
		all = append(all, "A connection from the same address and port comes to the same replica, as long as their count does not change; when it does, most clients change theirs.")
	case lab.MethodTurn:
		all = append(all, "The turn is one counter for all clients and CPUs: probes and retried connections take their turn as others do.")
	}
	return all
}

func nftSources() []string {
	return []string{
		"nft(8): numgen, jhash, symhash, maps, dnat, fib",
		"https://wiki.nftables.org/wiki-nftables/index.php/Load_balancing",
		"https://docs.kernel.org/networking/ip-sysctl.html (route_localnet)",
		"https://docs.kernel.org/networking/nf_conntrack-sysctl.html (nf_conntrack_udp_timeout)",
		"https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-nftables",
		"https://www.cve.org/CVERecord?id=CVE-2020-8558 (why 127.0.0.0/8 is dropped from the bridge)",
	}
}
