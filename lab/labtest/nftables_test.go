package labtest

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

var ports = []netip.AddrPort{netip.MustParseAddrPort("198.18.0.2:80"), netip.MustParseAddrPort("198.18.0.3:80")}

// translating is a table that sends what comes to port 8080 elsewhere.
func translating() lab.NftTable {
	return lab.NftTable{
		Family: lab.IPv4, Name: "t", Maps: []lab.NftMap{{Name: "m", Values: ports}},
		Chains: []lab.NftChain{
			{Name: "pick", Rules: []lab.NftRule{{
				Matches: []lab.NftMatch{{Of: lab.NftTransport, Word: "tcp"}},
				Action:  lab.NftDNAT, Pick: lab.NftPick{By: lab.NftTurn, Map: "m"},
			}}},
			{Name: "in", Type: "nat", Hook: "prerouting", Priority: -100, Rules: []lab.NftRule{{
				Matches: []lab.NftMatch{{Of: lab.NftPort, Word: "tcp", Port: 8080}}, Action: lab.NftJump, Chain: "pick",
			}}},
		},
	}
}

func tablesOf(t *testing.T, h *Host) lab.Nftables {
	t.Helper()
	n, err := h.Nftables()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNftTranslatesOnce(t *testing.T) {
	h := NewHost(t)
	h.AddLink(Link{Name: "lan", Prefix: netip.MustParsePrefix("198.19.0.1/24")})
	h.AddLink(Link{Name: "br", Prefix: netip.MustParsePrefix("198.18.0.1/24")})
	first, second := translating(), translating()
	second.Name, second.Maps = "u", []lab.NftMap{{Name: "m", Values: []netip.AddrPort{netip.MustParseAddrPort("198.18.0.9:80")}}}
	second.Chains[1].Priority = -99
	for _, table := range []lab.NftTable{second, first} {
		if err := tablesOf(t, h).Set(table); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 { // the table of lower priority, in turn
		got := h.Trace(Packet{In: "lan", Source: netip.MustParseAddrPort("198.19.0.2:1"), Destination: netip.MustParseAddrPort("198.19.0.1:8080")})
		if got.Destination != ports[i%2] || got.Out != "br" || got.Lost != "" {
			t.Errorf("%+v, want it at %s", got, ports[i%2])
		}
	}
	if got := h.Trace(Packet{In: "lan", Source: netip.MustParseAddrPort("198.19.0.2:1"), Destination: netip.MustParseAddrPort("198.19.0.1:8081")}); got.Out != "lo" {
		t.Errorf("%+v, want it left alone", got)
	}
	for range 2 {
		for _, name := range []string{"t", "u"} {
			if err := tablesOf(t, h).Delete(lab.IPv4, name); err != nil {
				t.Error(err)
			}
		}
	}
	h.AssertPristine(t)
}

// What the kernel or nft(8) refuses, the fake refuses, and fails the test.
func TestNftRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*lab.NftTable){
		"is no name":                     func(t *lab.NftTable) { t.Name = "with-hyphen" },
		"is not of IP version":           func(t *lab.NftTable) { t.Family = lab.IPv6 },
		"operation not supported":        func(t *lab.NftTable) { t.Chains[1].Priority = -200 },
		"after transport protocol match": func(t *lab.NftTable) { t.Chains[0].Rules[0].Matches = nil },
		"modulus cannot be 0":            func(t *lab.NftTable) { t.Maps[0].Values = nil },
		"dnat is for the nat type":       func(t *lab.NftTable) { t.Chains[1].Hook, t.Chains[1].Priority = "postrouting", 100 },
		"masquerade is for the nat type": func(t *lab.NftTable) { t.Chains[0].Rules[0].Action = lab.NftMasquerade },
		"no chain to jump to":            func(t *lab.NftTable) { t.Chains[1].Rules[0].Chain = "nowhere" },
		"the chains loop":                func(t *lab.NftTable) { t.Chains[0].Rules[0] = lab.NftRule{Action: lab.NftJump, Chain: "pick"} },
		"unknown match":                  func(t *lab.NftTable) { t.Chains[1].Rules[0].Matches[0].Of = "colour" },
		"unknown protocol":               func(t *lab.NftTable) { t.Chains[1].Rules[0].Matches[0].Word = "sctp" },
		"a link's name has 1 to 15":      func(t *lab.NftTable) { t.Chains[1].Rules[0].Matches[0] = lab.NftMatch{Of: lab.NftIn} },
		"unknown number":                 func(t *lab.NftTable) { t.Chains[0].Rules[0].Pick.By = "dice" },
		"is no network of IP version":    func(t *lab.NftTable) { t.Chains[1].Rules[0].Matches[0] = lab.NftMatch{Of: lab.NftSource} },
		"unknown action":                 func(t *lab.NftTable) { t.Chains[1].Rules[0].Action = "bounce" },
	} {
		recorded := &recorder{TB: t}
		h := NewHost(recorded)
		table := translating()
		spoil(&table)
		err := tablesOf(t, h).Set(table)
		if err == nil || !strings.Contains(err.Error(), want) || len(recorded.failures) == 0 {
			t.Errorf("%v (%d failures), want %q", err, len(recorded.failures), want)
		}
		h.AssertPristine(t)
	}
}

// A table keeps its chains: nf_tables would keep the old ones beside new ones.
func TestNftKeepsChains(t *testing.T) {
	h := NewHost(t)
	if err := tablesOf(t, h).Set(translating()); err != nil {
		t.Fatal(err)
	}
	other := translating()
	other.Chains[1].Name = "another"
	if err := tablesOf(t, h).Set(other); err == nil {
		t.Error("other chains are taken")
	}
	fewer := translating()
	fewer.Maps[0].Values = fewer.Maps[0].Values[:1]
	if err := tablesOf(t, h).Set(fewer); err != nil {
		t.Error(err)
	}
}

func TestShellRefusesOtherScriptsOfNft(t *testing.T) {
	for _, script := range []string{
		"table ip t {", "table arp t {\n}", "chain c {\n}", "table ip t {\n\tchain c {\n\t\tcounter accept\n\t}\n}",
		"table ip t {\n\tchain c {\n\t\ttype nat hook prerouting;\n\t}\n}", "table ip t {\n\tmap m {\n\t\telements = { 1 : 198.18.0.2 . 80 }\n\t}\n}",
		"table ip t {\n\tchain c {\n\t\tmeta l4proto tcp dnat ip to numgen random mod 2 map @m\n\t}\n}",
		"table ip t {\n\tchain c {\n\t\tip6 saddr ::1 drop\n\t}\n}", "table ip t {\n\tchain c {\n\t\tip saddr 198.18.0.2\n\t}\n}",
	} {
		h := NewHost(t)
		if err := h.Shell("nft -f - <<'EOF'\n" + script + "\nEOF"); err == nil {
			t.Errorf("taken: %s", script)
		}
		h.AssertPristine(t)
	}
	if err := NewHost(t).Shell("nft delete table ip t"); err == nil {
		t.Error("a table that is not there is deleted")
	}
}
