package labtest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"

	"github.com/portlab/portlab/lab"
)

// nftHook takes a packet through the chains of nftables at a hook, those of
// lower priority first. One that drops it ends its way; of those that
// translate, the first that does is the only one.
func (w *walker) nftHook(kind, hook string) {
	type base struct {
		table lab.NftTable
		chain lab.NftChain
	}
	var all []base
	for _, key := range slices.SortedFunc(maps.Keys(w.host.nft), func(a, b nftKey) int { return cmp.Compare(a.name, b.name) }) {
		for _, c := range w.host.nft[key].Chains {
			if key.family == familyOf(w.destination) && c.Type == kind && c.Hook == hook {
				all = append(all, base{w.host.nft[key], c})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b base) int { return cmp.Compare(a.chain.Priority, b.chain.Priority) })
	for _, b := range all {
		source, destination := w.source, w.destination
		w.nftChain(b.table, b.chain)
		if w.lost != "" || w.source != source || w.destination != destination {
			return
		}
	}
}

// nftChain walks the rules of one chain and says whether the packet's fate is
// decided.
func (w *walker) nftChain(t lab.NftTable, c lab.NftChain) bool {
	for i, r := range c.Rules {
		if slices.ContainsFunc(r.Matches, func(m lab.NftMatch) bool { return !w.nftMeant(m) }) {
			continue
		}
		switch r.Action {
		case lab.NftDrop:
			w.lose("dropped by a rule of %s", c.Name)
		case lab.NftJump:
			next, _ := chainOf(t, r.Chain)
			if w.nftChain(t, next) {
				return true
			}
			continue
		case lab.NftMasquerade:
			w.masquerade()
		case lab.NftDNAT:
			values := mapOf(t, r.Pick.Map)
			w.translate(values[w.number(fmt.Sprint(t.Name, c.Name, i), r.Pick.By, uint32(len(values)))])
		}
		return true
	}
	return false
}

func (w *walker) nftMeant(m lab.NftMatch) bool {
	switch m.Of {
	case lab.NftSource:
		return m.Net.Contains(w.source.Addr())
	case lab.NftDestination:
		return m.Net.Contains(w.destination.Addr())
	case lab.NftOriginal:
		return m.Net.Contains(w.original.Addr())
	case lab.NftOriginalPort:
		return w.original.Port() == m.Port
	case lab.NftTransport:
		return w.protocol == m.Word
	case lab.NftPort:
		return w.protocol == m.Word && w.destination.Port() == m.Port
	case lab.NftIn:
		return w.in == m.Word
	case lab.NftOut:
		return w.out == m.Word
	case lab.NftLocal:
		return w.host.isLocal(w.destination.Addr())
	case lab.NftTranslated:
		return w.translated
	case lab.NftUntranslated:
		return !w.translated
	}
	return true // lab.NftUnexpected: every packet is the first of its connection
}

// number is one below a modulus, made as a rule says.
func (w *walker) number(rule string, by lab.NftNumber, modulus uint32) uint32 {
	switch by {
	case lab.NftRandom:
		return w.host.random.Uint32N(modulus)
	case lab.NftTurn:
		n := w.host.turns[rule]
		w.host.turns[rule]++
		return n % modulus
	case lab.NftJhash:
		return hashOf(modulus, w.source)
	}
	ends := []netip.AddrPort{w.source, w.destination}
	slices.SortFunc(ends, netip.AddrPort.Compare)
	return hashOf(modulus, ends...)
}

// hashOf stands for the kernel's hashes: another function, as fixed for the
// same addresses.
func hashOf(modulus uint32, of ...netip.AddrPort) uint32 {
	h := fnv.New64a()
	for _, a := range of {
		fmt.Fprint(h, a)
	}
	return uint32(h.Sum64()>>32) % modulus
}
