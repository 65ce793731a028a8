package strategies

import (
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// nftNAT makes the table that leads from the front to the replicas and back.
type nftNAT struct {
	facts lab.Facts
	front lab.Front
	pick  lab.NftPick
}

// The priorities at which nat chains stand (nft(8), standard priorities). The
// word dstnat is not valid at output, the number is.
const (
	dstnat = -100
	srcnat = 100
)

func (n nftNAT) table(slots []netip.AddrPort) lab.NftTable {
	balance := lab.NftRule{
		Matches: []lab.NftMatch{{Of: lab.NftTransport, Word: n.facts.Transport}}, Action: lab.NftDNAT, Pick: n.pick,
	}
	return lab.NftTable{
		Family: n.facts.Family, Name: n.facts.Run.Table(),
		Maps: []lab.NftMap{{Name: n.pick.Map, Values: slots}},
		Chains: []lab.NftChain{
			{Name: "balance", Rules: []lab.NftRule{balance}},
			{Name: "guard", Type: "filter", Hook: "input", Rules: n.guard()},
			{Name: "back", Type: "nat", Hook: "postrouting", Priority: srcnat, Rules: n.back()},
			{Name: "enter", Type: "nat", Hook: "prerouting", Priority: dstnat, Rules: n.enter(n.front.Address)},
			{Name: "leave", Type: "nat", Hook: "output", Priority: dstnat, Rules: n.enter(n.front.Address, n.front.Loopback)},
		},
	}
}

// enter matches the front exactly: its address, its port, and only while the
// address is the host's own.
func (n nftNAT) enter(at ...netip.Addr) []lab.NftRule {
	var rules []lab.NftRule
	for _, a := range at {
		if a.IsValid() {
			rules = append(rules, lab.NftRule{Action: lab.NftJump, Chain: "balance", Matches: []lab.NftMatch{
				{Of: lab.NftDestination, Net: alone(a)}, {Of: lab.NftPort, Word: n.facts.Transport, Port: n.front.Port}, {Of: lab.NftLocal},
			}})
		}
	}
	return rules
}

// back has the answers to replicas and to 127.0.0.0/8 come back by the host.
func (n nftNAT) back() []lab.NftRule {
	var rules []lab.NftRule
	for _, from := range []struct {
		clients netip.Prefix
		front   netip.Addr
	}{{n.facts.Subnet, n.front.Address}, {loopbackNet, n.front.Loopback}} {
		if from.front.IsValid() {
			rules = append(rules, lab.NftRule{Action: lab.NftMasquerade, Matches: []lab.NftMatch{
				{Of: lab.NftSource, Net: from.clients.Masked()}, {Of: lab.NftOut, Word: n.facts.Bridge},
				{Of: lab.NftTransport, Word: n.facts.Transport}, {Of: lab.NftTranslated},
				{Of: lab.NftOriginal, Net: alone(from.front)}, {Of: lab.NftOriginalPort, Port: n.front.Port},
			}})
		}
	}
	return rules
}

// guard keeps replicas from what listens on 127.0.0.1 of the host, which
// route_localnet would let them reach (CVE-2020-8558).
func (n nftNAT) guard() []lab.NftRule {
	if !n.front.Loopback.IsValid() {
		return nil
	}
	return []lab.NftRule{{Action: lab.NftDrop, Matches: []lab.NftMatch{
		{Of: lab.NftIn, Word: n.facts.Bridge}, {Of: lab.NftDestination, Net: loopbackNet},
		{Of: lab.NftUnexpected}, {Of: lab.NftUntranslated},
	}}}
}

var loopbackNet = netip.MustParsePrefix("127.0.0.0/8")

// alone is the network of one address.
func alone(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }
