package kernel

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestTracesFindsAndRemovesWhatARunLeft(t *testing.T) {
	ns, peer := newNamespace(t), newNamespace(t)
	run := lab.NewRunID()
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		r := newRules(t, ns, ip)
		no(t, r.Insert("nat", "OUTPUT", "-p", "tcp", "-j", "RETURN")) // somebody else's
		chain := run.Chain("DNAT")
		no(t, r.SetChain("nat", chain, [][]string{{"-m", "comment", "--comment", run.Comment(), "-j", "RETURN"}}))
		no(t, r.Insert("nat", "OUTPUT", "-p", "tcp", "-m", "comment", "--comment", run.Comment(), "-j", chain))
		tables, err := openTables(ns)
		no(t, err)
		no(t, tables.Set(lab.NftTable{Family: ip, Name: "portlab_others"})) // somebody else's
		no(t, tables.Set(lab.NftTable{Family: ip, Name: run.Table()}))
	}
	end := func(ns *Namespace, part, address string) End {
		return End{In: ns, Name: run.Link(part), Address: netip.MustParsePrefix(address)}
	}
	no(t, CreateVeth(t.Context(), run, end(ns, "h", "198.19.0.1/24"), end(peer, "c", "198.19.0.2/24")))

	found := tracesOf(t, ns, run)
	var kinds []lab.TraceKind
	for _, trace := range found {
		kinds = append(kinds, trace.Kind)
	}
	slices.Sort(kinds)
	want := []lab.TraceKind{lab.ChainTrace, lab.ChainTrace, lab.LinkTrace, lab.RuleTrace, lab.RuleTrace, lab.TableTrace, lab.TableTrace}
	if !slices.Equal(kinds, want) {
		t.Fatalf("found %v, not %v", kinds, want)
	}
	for _, kind := range lab.TraceKinds() {
		for _, trace := range found {
			if trace.Kind == kind {
				no(t, trace.Remove(t.Context()))
				no(t, trace.Remove(t.Context()))
			}
		}
	}
	if left := tracesOf(t, ns, run); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		text, err := newRules(t, ns, ip).save()
		no(t, err)
		if _, rules := parseSave(text); len(rules) != 1 || rules[0].chain != "OUTPUT" {
			t.Errorf("somebody else's rule is gone: %v", rules)
		}
	}
}

func BenchmarkTracesOfNothing(b *testing.B) {
	ns := newNamespace(b)
	find := Traces(ns)
	for b.Loop() {
		if _, err := find(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
