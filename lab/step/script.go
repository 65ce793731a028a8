package step

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/portlab/portlab/lab"
)

// script is a table in the words of nft(8).
func script(t lab.NftTable) string {
	var b strings.Builder
	fmt.Fprintf(&b, "table %s %s {\n", nftFamily(t.Family), t.Name)
	for _, m := range t.Maps {
		fmt.Fprintf(&b, "\tmap %s {\n\t\ttypeof numgen inc mod %d : %s daddr . th dport\n", m.Name, len(m.Values), nftFamily(t.Family))
		elements := make([]string, len(m.Values))
		for i, at := range m.Values {
			elements[i] = fmt.Sprintf("%d : %s . %d", i, at.Addr(), at.Port())
		}
		fmt.Fprintf(&b, "\t\telements = { %s }\n\t}\n", strings.Join(elements, ", "))
	}
	for _, c := range t.Chains {
		fmt.Fprintf(&b, "\tchain %s {\n", c.Name)
		if c.Hook != "" {
			fmt.Fprintf(&b, "\t\ttype %s hook %s priority %d;\n", c.Type, c.Hook, c.Priority)
		}
		for _, r := range c.Rules {
			fmt.Fprintf(&b, "\t\t%s\n", ruleWords(t, r))
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.String()
}

func ruleWords(t lab.NftTable, r lab.NftRule) string {
	var words []string
	for _, m := range r.Matches {
		words = append(words, matchWords(nftFamily(t.Family), m))
	}
	switch r.Action {
	case lab.NftJump:
		words = append(words, "jump "+r.Chain)
	case lab.NftDNAT:
		words = append(words, fmt.Sprintf("dnat %s to %s map @%s", nftFamily(t.Family), numberWords(t, r), r.Pick.Map))
	default:
		words = append(words, string(r.Action))
	}
	return strings.Join(words, " ")
}

func matchWords(family string, m lab.NftMatch) string {
	switch m.Of {
	case lab.NftSource:
		return family + " saddr " + network(m.Net)
	case lab.NftDestination:
		return family + " daddr " + network(m.Net)
	case lab.NftOriginal:
		return "ct original " + family + " daddr " + network(m.Net)
	case lab.NftTransport:
		return "meta l4proto " + m.Word
	case lab.NftPort:
		return fmt.Sprintf("%s dport %d", m.Word, m.Port)
	case lab.NftOriginalPort:
		return fmt.Sprintf("ct original proto-dst %d", m.Port)
	case lab.NftIn:
		return fmt.Sprintf("iifname %q", m.Word)
	case lab.NftOut:
		return fmt.Sprintf("oifname %q", m.Word)
	}
	return plainMatches[m.Of]
}

// plainMatches are those without a value of their own.
var plainMatches = map[lab.NftField]string{
	lab.NftLocal:        "fib daddr type local",
	lab.NftTranslated:   "ct status dnat",
	lab.NftUntranslated: "ct status & dnat == 0",
	lab.NftUnexpected:   "ct state & (established | related) == 0",
}

// numberWords makes the number of a rule's pick, below the count of the map's
// elements.
func numberWords(t lab.NftTable, r lab.NftRule) string {
	modulus := 0
	for _, m := range t.Maps {
		if m.Name == r.Pick.Map {
			modulus = len(m.Values)
		}
	}
	if r.Pick.By != lab.NftJhash {
		return fmt.Sprintf("%s mod %d", r.Pick.By, modulus)
	}
	return fmt.Sprintf("jhash %s saddr . th sport mod %d seed %#x", nftFamily(t.Family), modulus, lab.NftSeed)
}

func network(n netip.Prefix) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.Masked().String()
}

func nftFamily(ip lab.Family) string {
	if ip == lab.IPv6 {
		return "ip6"
	}
	return "ip"
}
