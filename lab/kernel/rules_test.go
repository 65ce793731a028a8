package kernel

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

func newRules(t *testing.T, ns *Namespace, ip lab.Family) *rules {
	t.Helper()
	r, err := openRules(ns, ip)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// saved is what iptables-save prints, without its comments.
func saved(t *testing.T, r *rules) []string {
	t.Helper()
	text, err := r.save()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSetChainFillsReplacesAndKeepsWords(t *testing.T) {
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		r := newRules(t, newNamespace(t), ip)
		const chain = "PORTLAB-abcdef-DNAT"
		no(t, r.NewChain("nat", chain))
		if err := r.NewChain("nat", chain); err == nil {
			t.Error("a second chain of one name was made")
		}
		comments := []string{`plain`, `two words`, `a "quoted" one`, `back\slash`, `it's`, `$(x); | *`}
		var rules [][]string
		for _, c := range comments {
			rules = append(rules, []string{"-m", "comment", "--comment", c, "-j", "RETURN"})
		}
		no(t, r.SetChain("nat", chain, rules))
		text, err := r.save()
		no(t, err)
		_, got := parseSave(text)
		if len(got) != len(comments) {
			t.Fatalf("IPv%d: %d rules, not %d: %v", ip, len(got), len(comments), got)
		}
		for i, c := range comments {
			if !slices.Contains(got[i].words, c) {
				t.Errorf("IPv%d: rule %d is %q, without %q", ip, i, got[i].words, c)
			}
		}
		no(t, r.SetChain("nat", chain, [][]string{{"-p", "tcp", "-j", "RETURN"}}))
		if _, got = parseSave(strings.Join(saved(t, r), "\n")); len(got) != 1 {
			t.Errorf("the rules of before are still there: %v", got)
		}
	}
}

func TestSetChainIsOneTransaction(t *testing.T) {
	r := newRules(t, newNamespace(t), lab.IPv4)
	no(t, r.SetChain("filter", "PORTLAB-abcdef-X", [][]string{{"-p", "tcp", "-j", "ACCEPT"}}))
	before := saved(t, r)
	err := r.SetChain("filter", "PORTLAB-abcdef-X", [][]string{{"-p", "udp", "-j", "ACCEPT"}, {"-j", "NOWHERE"}})
	if err == nil || !strings.Contains(err.Error(), "NOWHERE") {
		t.Errorf("the error does not name what is missing: %v", err)
	}
	if after := saved(t, r); !slices.Equal(before, after) {
		t.Errorf("half a transaction was done:\n%v\n%v", before, after)
	}
	var usage *lab.UsageError
	if err := r.SetChain("filter", "X", [][]string{{"-m", "comment", "--comment", "two\nlines"}}); !errors.As(err, &usage) {
		t.Errorf("a line break: %v", err)
	}
}

// A chain in parts has the same rules in the same order, whatever it had
// before, and goes with its parts.
func TestChainInPartsIsTheSameChain(t *testing.T) {
	r := newRules(t, newNamespace(t), lab.IPv4)
	const chain = "PORTLAB-abcdef-DNAT"
	no(t, r.NewChain("nat", chain))
	no(t, r.NewChain("nat", "PORTLAB-abcdef-DNAT-aside")) // is no part
	for _, n := range []int{partRules + 1, 3 * partRules, 1, 2*partRules + 7} {
		var want [][]string
		for i := range n {
			want = append(want, []string{"-p", "tcp", "-m", "tcp", "--dport", strconv.Itoa(i + 1), "-j", "RETURN"})
		}
		no(t, r.do("fill in parts", func() error { return r.setInParts("nat", chain, want) }))
		if got := flattened(t, r, chain); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%d rules went in, %d came out: %v ...", n, len(got), got[:min(len(got), 3)])
		}
		var parts []string
		no(t, r.do("list the parts", func() (err error) { parts, err = r.parts("nat", chain); return err }))
		if most := n/partRules + 1; len(parts) > most {
			t.Errorf("%d rules are in %d parts", n, len(parts))
		}
	}
	no(t, r.DeleteChain("nat", chain))
	no(t, r.DeleteChain("nat", "PORTLAB-abcdef-DNAT-aside"))
	if left := saved(t, r); slices.ContainsFunc(left, func(s string) bool { return strings.Contains(s, "PORTLAB") }) {
		t.Errorf("left: %q", left)
	}
}

// flattened are the rules that a packet meets in a chain and where it leads.
func flattened(t *testing.T, r *rules, chain string) (all [][]string) {
	t.Helper()
	text, err := r.save()
	no(t, err)
	_, rules := parseSave(text)
	for _, x := range rules {
		if x.chain != chain {
			continue
		}
		if strings.HasPrefix(x.words[1], chain) {
			all = append(all, flattened(t, r, x.words[1])...)
			continue
		}
		all = append(all, x.words)
	}
	return all
}

func TestDeletionsAreIdempotent(t *testing.T) {
	r := newRules(t, newNamespace(t), lab.IPv4)
	const chain = "PORTLAB-abcdef-X"
	jump := []string{"-p", "tcp", "-j", chain}
	_, err := r.HasChain("nat", "OUTPUT") // with the legacy back end, to look at a table is to make it
	no(t, err)
	clean := saved(t, r)
	no(t, r.Delete("nat", "OUTPUT", jump...)) // neither chain nor rule was ever there
	no(t, r.DeleteChain("nat", chain))
	if after := saved(t, r); !slices.Equal(clean, after) {
		t.Errorf("deleting nothing changed %v to %v", clean, after)
	}
	no(t, r.NewChain("nat", chain))
	no(t, r.Delete("nat", "OUTPUT", jump...)) // the rule is not there
	no(t, r.Insert("nat", "OUTPUT", jump...))
	if err := r.DeleteChain("nat", chain); err == nil {
		t.Error("a chain was deleted under a rule that jumps to it")
	}
	no(t, r.Delete("nat", "OUTPUT", jump...))
	no(t, r.DeleteChain("nat", chain))
	has, err := r.HasChain("nat", chain)
	no(t, err)
	if has {
		t.Error("the chain is still there")
	}
	has, err = r.HasChain("nat", "OUTPUT")
	no(t, err)
	if !has {
		t.Error("OUTPUT is not found")
	}
}

func TestInsertPutsARuleFirst(t *testing.T) {
	r := newRules(t, newNamespace(t), lab.IPv4)
	no(t, r.Insert("filter", "INPUT", "-p", "tcp", "-j", "ACCEPT"))
	no(t, r.Insert("filter", "INPUT", "-p", "udp", "-j", "ACCEPT"))
	_, got := parseSave(strings.Join(saved(t, r), "\n"))
	if len(got) != 2 || got[0].words[1] != "udp" {
		t.Errorf("rules: %v", got)
	}
}

func TestWhatIptablesSaysHasAType(t *testing.T) {
	for said, want := range map[string]error{
		"iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)":                      lab.ErrUnsupported,
		"Fatal: can't open lock file /run/xtables.lock: Permission denied":                                                               lab.ErrUnsupported,
		"iptables v1.8.9 (legacy): can't initialize iptables table `nat': Table does not exist (do you need to insmod?)":                 lab.ErrUnsupported,
		"Warning: Extension statistic revision 0 not supported, missing kernel module?\niptables: No chain/target/match by that name.\n": lab.ErrUnsupported,
		"iptables v1.8.9 (nf_tables): Couldn't load match `nope':No such file or directory":                                              lab.ErrUnsupported,
		"iptables: No chain/target/match by that name.":                                                                                  errGone,
		"iptables: Bad rule (does a matching rule exist in that chain?).":                                                                errGone,
		"iptables v1.8.9 (nf_tables): Chain 'NOPE' does not exist":                                                                       errGone,
		"iptables v1.8.9 (legacy): Couldn't load target `NOPE':No such file or directory":                                                errGone,
	} {
		if err := filterError("try", errors.New(said)); !errors.Is(err, want) {
			t.Errorf("%q became %v, not %v", said, err, want)
		}
	}
	busy := filterError("try", errors.New("CHAIN_DEL failed (Device or resource busy): chain X"))
	if errors.Is(busy, errGone) || errors.Is(busy, lab.ErrUnsupported) {
		t.Errorf("a busy chain became %v", busy)
	}
}
