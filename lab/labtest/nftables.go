package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/portlab/portlab/lab"
)

// nftables is the fake of [lab.Nftables].
type nftables struct{ h *Host }

// Nftables gives the tables of nftables.
func (h *Host) Nftables() (lab.Nftables, error) { return nftables{h}, nil }

// nftKey names a table: those of the IP versions do not clash.
type nftKey struct {
	family lab.Family
	name   string
}

func (n nftables) Set(t lab.NftTable) error {
	n.h.mu.Lock()
	defer n.h.mu.Unlock()
	if err := n.h.mutate("set the table " + t.Name); err != nil {
		return err
	}
	if err := verifyNft(t); err != nil {
		err = fmt.Errorf("nftables table %s: %w", t.Name, err)
		n.h.t.Errorf("labtest: %v", err)
		return err
	}
	key := nftKey{t.Family, t.Name}
	if old, ok := n.h.nft[key]; ok && !sameFrame(old, t) {
		return fmt.Errorf("nftables table %s has other chains or maps already", t.Name)
	}
	n.h.nft[key] = t
	return nil
}

func (n nftables) Delete(ip lab.Family, name string) error {
	n.h.mu.Lock()
	defer n.h.mu.Unlock()
	if err := n.h.mutate("delete the table " + name); err != nil {
		return err
	}
	delete(n.h.nft, nftKey{ip, name})
	return nil
}

// sameFrame says whether two tables differ in rules and elements only.
func sameFrame(a, b lab.NftTable) bool {
	return slices.EqualFunc(a.Maps, b.Maps, func(a, b lab.NftMap) bool { return a.Name == b.Name }) &&
		slices.EqualFunc(a.Chains, b.Chains, func(a, b lab.NftChain) bool {
			return a.Name == b.Name && a.Type == b.Type && a.Hook == b.Hook && a.Priority == b.Priority
		})
}

// nftName is a name that nft(8) takes without quotes.
var nftName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9/_.]*$`)

// nftTypes lists the hooks of each type of chain, and what it must come after:
// the nat type works on connections, which are tracked at priority -200.
var nftTypes = map[string][]string{
	"nat":    {"prerouting", "input", "output", "postrouting"},
	"filter": {"prerouting", "input", "forward", "output", "postrouting"},
}

// verifyNft refuses what nft(8) or the kernel refuses.
func verifyNft(t lab.NftTable) error {
	if !nftName.MatchString(t.Name) {
		return fmt.Errorf("%q is no name", t.Name)
	}
	for _, m := range t.Maps {
		for _, at := range m.Values {
			if at.Addr().Is4() != (t.Family == lab.IPv4) {
				return fmt.Errorf("map %s: %s is not of IP version %d", m.Name, at, t.Family)
			}
		}
	}
	for _, c := range t.Chains {
		if c.Hook == "" {
			continue // it is walked from those that lead to it
		}
		if !slices.Contains(nftTypes[c.Type], c.Hook) || c.Type == "nat" && c.Priority <= -200 {
			return fmt.Errorf("chain %s: operation not supported: type %s at %s, priority %d", c.Name, c.Type, c.Hook, c.Priority)
		}
		if err := verifyNftChain(t, c, c, nil); err != nil {
			return fmt.Errorf("chain %s: %w", c.Name, err)
		}
	}
	return nil
}

// verifyNftChain walks a chain as packets of a hook do.
func verifyNftChain(t lab.NftTable, base, c lab.NftChain, path []string) error {
	if slices.Contains(path, c.Name) {
		return fmt.Errorf("too many levels of symbolic links: the chains loop at %s", c.Name)
	}
	for _, r := range c.Rules {
		for _, m := range r.Matches {
			if err := verifyNftMatch(t.Family, m); err != nil {
				return err
			}
		}
		var err error
		switch r.Action {
		case lab.NftDrop:
		case lab.NftJump:
			next, ok := chainOf(t, r.Chain)
			if !ok || next.Hook != "" {
				return fmt.Errorf("no chain to jump to: %q", r.Chain)
			}
			err = verifyNftChain(t, base, next, append(path, c.Name))
		case lab.NftMasquerade:
			if base.Type != "nat" || base.Hook != "postrouting" {
				err = errors.New("masquerade is for the nat type at postrouting")
			}
		case lab.NftDNAT:
			err = verifyDNAT(t, base, r)
		default:
			err = fmt.Errorf("unknown action %q", r.Action)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func verifyDNAT(t lab.NftTable, base lab.NftChain, r lab.NftRule) error {
	if base.Type != "nat" || base.Hook != "prerouting" && base.Hook != "output" {
		return errors.New("dnat is for the nat type at prerouting and output")
	}
	if !slices.ContainsFunc(r.Matches, func(m lab.NftMatch) bool { return m.Of == lab.NftTransport || m.Of == lab.NftPort }) {
		return errors.New("transport protocol mapping is only valid after transport protocol match")
	}
	if m := mapOf(t, r.Pick.Map); len(m) == 0 {
		return fmt.Errorf("map %q has no elements, and modulus cannot be 0", r.Pick.Map)
	}
	if !slices.Contains([]lab.NftNumber{lab.NftRandom, lab.NftTurn, lab.NftJhash, lab.NftFlow}, r.Pick.By) {
		return fmt.Errorf("unknown number %q", r.Pick.By)
	}
	return nil
}

func verifyNftMatch(ip lab.Family, m lab.NftMatch) error {
	switch m.Of {
	case lab.NftSource, lab.NftDestination, lab.NftOriginal:
		if !m.Net.IsValid() || m.Net.Addr().Is4() != (ip == lab.IPv4) {
			return fmt.Errorf("%v is no network of IP version %d", m.Net, ip)
		}
	case lab.NftTransport, lab.NftPort:
		if m.Word != "tcp" && m.Word != "udp" {
			return fmt.Errorf("unknown protocol %q", m.Word)
		}
	case lab.NftIn, lab.NftOut:
		return linkName(m.Word)
	case lab.NftOriginalPort, lab.NftLocal, lab.NftTranslated, lab.NftUntranslated, lab.NftUnexpected:
	default:
		return fmt.Errorf("unknown match %q", m.Of)
	}
	return nil
}

func chainOf(t lab.NftTable, name string) (lab.NftChain, bool) {
	i := slices.IndexFunc(t.Chains, func(c lab.NftChain) bool { return c.Name == name })
	if i < 0 {
		return lab.NftChain{}, false
	}
	return t.Chains[i], true
}

func mapOf(t lab.NftTable, name string) []netip.AddrPort {
	i := slices.IndexFunc(t.Maps, func(m lab.NftMap) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return t.Maps[i].Values
}
