package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// nftScript understands a script of nft(8) that defines one table, given to
// the shell as the lines up to EOF.
func (h *Host) nftScript(line string) (understood bool, err error) {
	text, ok := strings.CutPrefix(line, "nft -f - <<'EOF'\n")
	if !ok {
		return false, nil
	}
	text, ok = strings.CutSuffix(text, "\nEOF")
	if !ok {
		return true, errors.New("the script does not end with EOF")
	}
	p := &nftParser{}
	for number, line := range strings.Split(text, "\n") {
		if err := p.line(strings.Fields(strings.NewReplacer(",", " , ", ";", " ;").Replace(line))); err != nil {
			return true, fmt.Errorf("line %d: %q: %w", number+1, strings.TrimSpace(line), err)
		}
	}
	if p.open != 0 {
		return true, errors.New("a brace is not closed")
	}
	return true, nftables{h}.Set(p.table)
}

// nftDelete is stricter than [lab.Nftables]: nft delete fails where there is none.
func (h *Host) nftDelete(words []string) error {
	if len(words) != 4 || words[0] != "delete" || words[1] != "table" {
		return fmt.Errorf("delete table FAMILY NAME was expected: %q", words)
	}
	ip, err := nftFamily(words[2])
	if err != nil {
		return err
	}
	h.mu.Lock()
	_, there := h.nft[nftKey{ip, words[3]}]
	h.mu.Unlock()
	if !there {
		return errors.New("no such file or directory")
	}
	return nftables{h}.Delete(ip, words[3])
}

func nftFamily(word string) (lab.Family, error) {
	switch word {
	case "ip":
		return lab.IPv4, nil
	case "ip6":
		return lab.IPv6, nil
	}
	return 0, fmt.Errorf("unknown family %q", word)
}

// nftParser reads a table line by line: its braces open and close at the ends
// of lines.
type nftParser struct {
	table lab.NftTable
	open  int    // braces
	in    string // what the inner one belongs to: map or chain
}

func (p *nftParser) line(words []string) error {
	if len(words) == 0 {
		return nil
	}
	switch last := words[len(words)-1]; {
	case len(words) == 1 && last == "}":
		p.open--
		return nil
	case last == "{":
		p.open++
		return p.begin(words[:len(words)-1])
	case p.open != 2:
		return errors.New("a statement outside of a map or a chain")
	case p.in == "map":
		return p.mapLine(words)
	}
	c := &p.table.Chains[len(p.table.Chains)-1]
	if words[0] == "type" {
		return baseChain(c, words)
	}
	r, err := parseNftRule(p.table, words)
	c.Rules = append(c.Rules, r)
	return err
}

func (p *nftParser) begin(words []string) (err error) {
	switch {
	case p.open == 1 && len(words) == 3 && words[0] == "table":
		p.table.Family, err = nftFamily(words[1])
		p.table.Name = words[2]
	case p.open == 2 && len(words) == 2 && words[0] == "map":
		p.table.Maps = append(p.table.Maps, lab.NftMap{Name: words[1]})
	case p.open == 2 && len(words) == 2 && words[0] == "chain":
		p.table.Chains = append(p.table.Chains, lab.NftChain{Name: words[1]})
	default:
		err = fmt.Errorf("unknown: %q", words)
	}
	p.in = words[0]
	return err
}

// mapLine reads the type of a map, which is always the same, or its elements.
func (p *nftParser) mapLine(words []string) error {
	text := strings.Join(words, " ")
	if strings.HasPrefix(text, "typeof numgen inc mod ") && (strings.HasSuffix(text, " : ip daddr . th dport") || strings.HasSuffix(text, " : ip6 daddr . th dport")) {
		return nil
	}
	text, ok := strings.CutPrefix(text, "elements = { ")
	text, closed := strings.CutSuffix(text, " }")
	if !ok || !closed {
		return errors.New("elements were expected")
	}
	m := &p.table.Maps[len(p.table.Maps)-1]
	for i, element := range strings.Split(text, " , ") {
		w := strings.Fields(element)
		if len(w) != 5 || w[0] != strconv.Itoa(i) || w[1] != ":" || w[3] != "." {
			return fmt.Errorf("%d : ADDRESS . PORT was expected, not %q", i, element)
		}
		a, err := netip.ParseAddr(w[2])
		port, e := strconv.ParseUint(w[4], 10, 16)
		if err = errors.Join(err, e); err != nil {
			return err
		}
		m.Values = append(m.Values, netip.AddrPortFrom(a, uint16(port)))
	}
	return nil
}

// baseChain reads type TYPE hook HOOK priority NUMBER ;
func baseChain(c *lab.NftChain, w []string) (err error) {
	if len(w) != 7 || w[2] != "hook" || w[4] != "priority" || w[6] != ";" {
		return errors.New("type TYPE hook HOOK priority NUMBER; was expected")
	}
	c.Type, c.Hook = w[1], w[3]
	c.Priority, err = strconv.Atoi(w[5])
	return err
}
