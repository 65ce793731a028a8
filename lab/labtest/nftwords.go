package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// nftForms are the forms of matches and statements; a word in capitals
// stands for a value. The first that fits is meant.
var nftForms = []struct {
	form string
	of   lab.NftField
}{
	{"ct state & (established | related) == 0", lab.NftUnexpected},
	{"ct status & dnat == 0", lab.NftUntranslated},
	{"ct original FAMILY daddr NET", lab.NftOriginal},
	{"ct original proto-dst PORT", lab.NftOriginalPort},
	{"ct status dnat", lab.NftTranslated},
	{"fib daddr type local", lab.NftLocal},
	{"meta l4proto TRANSPORT", lab.NftTransport},
	{"iifname LINK", lab.NftIn},
	{"oifname LINK", lab.NftOut},
	{"FAMILY saddr NET", lab.NftSource},
	{"FAMILY daddr NET", lab.NftDestination},
	{"TRANSPORT dport PORT", lab.NftPort},
}

func parseNftRule(t lab.NftTable, words []string) (r lab.NftRule, err error) {
	for len(words) > 0 {
		m, n := nextNftMatch(t.Family, words)
		if n == 0 {
			return parseNftAction(t, r, words)
		}
		r.Matches, words = append(r.Matches, m), words[n:]
	}
	return r, errors.New("no statement")
}

// nextNftMatch reads one match off the words and says how many it took: none
// where they begin with no match.
func nextNftMatch(ip lab.Family, words []string) (lab.NftMatch, int) {
	for _, f := range nftForms {
		if m, n, err := parseNftMatch(ip, strings.Fields(f.form), words); err == nil {
			m.Of = f.of
			return m, n
		}
	}
	return lab.NftMatch{}, 0
}

// parseNftMatch reads what stands for the words of a form in capitals, and
// says how many words it took.
func parseNftMatch(ip lab.Family, form, words []string) (m lab.NftMatch, n int, err error) {
	if len(words) < len(form) {
		return m, 0, errors.New("too few words")
	}
	for i, f := range form {
		w := words[i]
		switch f {
		case "FAMILY":
			var got lab.Family
			if got, err = nftFamily(w); err == nil && got != ip {
				err = fmt.Errorf("%s in a table of IP version %d", w, ip)
			}
		case "NET":
			if m.Net, err = netip.ParsePrefix(w); err != nil {
				var a netip.Addr
				a, err = netip.ParseAddr(w)
				m.Net = netip.PrefixFrom(a, a.BitLen())
			}
		case "PORT":
			var p uint64
			p, err = strconv.ParseUint(w, 10, 16)
			m.Port = uint16(p)
		case "LINK":
			m.Word, err = strconv.Unquote(w)
		case "TRANSPORT":
			if m.Word = w; w != "tcp" && w != "udp" {
				err = fmt.Errorf("unknown protocol %q", w)
			}
		default:
			if w != f {
				err = fmt.Errorf("%q was expected, not %q", f, w)
			}
		}
		if err != nil {
			return m, 0, err
		}
	}
	return m, len(form), nil
}

func parseNftAction(t lab.NftTable, r lab.NftRule, words []string) (lab.NftRule, error) {
	r.Action = lab.NftAction(words[0])
	switch {
	case len(words) == 1 && (r.Action == lab.NftDrop || r.Action == lab.NftMasquerade):
		return r, nil
	case len(words) == 2 && r.Action == lab.NftJump:
		r.Chain = words[1]
		return r, nil
	case r.Action == lab.NftDNAT:
		return parseNftPick(t, r, strings.Join(words, " "))
	}
	return r, fmt.Errorf("unknown: %q", words)
}

// parseNftPick reads a number that is made below the count of a map's elements.
func parseNftPick(t lab.NftTable, r lab.NftRule, text string) (lab.NftRule, error) {
	family := "ip"
	if t.Family == lab.IPv6 {
		family = "ip6"
	}
	for _, m := range t.Maps {
		for number, words := range map[lab.NftNumber]string{
			lab.NftRandom: fmt.Sprintf("numgen random mod %d", len(m.Values)),
			lab.NftTurn:   fmt.Sprintf("numgen inc mod %d", len(m.Values)),
			lab.NftFlow:   fmt.Sprintf("symhash mod %d", len(m.Values)),
			lab.NftJhash:  fmt.Sprintf("jhash %s saddr . th sport mod %d seed %#x", family, len(m.Values), lab.NftSeed),
		} {
			if text == fmt.Sprintf("dnat %s to %s map @%s", family, words, m.Name) {
				r.Pick = lab.NftPick{By: number, Map: m.Name}
				return r, nil
			}
		}
	}
	return r, fmt.Errorf("unknown: %q", text)
}
