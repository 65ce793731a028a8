package kernel

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// partRules is how many rules a part of a chain holds: a netlink message of so
// many is well below what any socket may send.
const partRules = 250

// setInParts fills a chain of which the rules are too many for one message. Of
// a transaction of nf_tables all is one message, and without CAP_NET_ADMIN over
// the machine, as in a user namespace, it can be no longer than twice
// net.core.wmem_max (socket(7), SO_SNDBUFFORCE): some 900 rules. So the rules
// go into chains of their own, which nothing leads to yet, and one small
// transaction has the chain lead there: a packet meets all old rules or all new
// ones, in their order.
func (r *rules) setInParts(table, chain string, rules [][]string) error {
	old, err := r.parts(table, chain)
	if err != nil {
		return err
	}
	fresh := "a"
	if slices.Contains(old, chain+"-a0") {
		fresh = "b"
	}
	var lead [][]string
	for part := range slices.Chunk(rules, partRules) {
		name := fmt.Sprintf("%s-%s%d", chain, fresh, len(lead))
		script, err := chainScript(table, name, part)
		if err != nil {
			return err
		}
		if err := r.restore(script); err != nil {
			return err
		}
		lead = append(lead, []string{"-j", name})
	}
	script, err := chainScript(table, chain, lead)
	if err != nil {
		return err
	}
	if err := r.restore(script); err != nil {
		return err
	}
	return r.deleteChains(table, old)
}

// parts are the chains that hold a chain's rules, or held them before.
func (r *rules) parts(table, chain string) ([]string, error) {
	all, err := r.ipt.ListChains(table)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(name string) bool {
		part, ok := strings.CutPrefix(name, chain+"-")
		return !ok || !partForm.MatchString(part)
	}), nil
}

// partForm is what a part's name has behind its chain's.
var partForm = regexp.MustCompile(`^[ab][0-9]+$`)

func (r *rules) deleteParts(table, chain string) error {
	parts, err := r.parts(table, chain)
	if err != nil {
		return err
	}
	return r.deleteChains(table, parts)
}

func (r *rules) deleteChains(table string, chains []string) error {
	for _, name := range chains {
		if err := r.ipt.ClearAndDeleteChain(table, name); err != nil {
			return err
		}
	}
	return nil
}
