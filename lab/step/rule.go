package step

import (
	"context"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Rule is one rule at the head of a chain that is there already, such as
// PREROUTING or DOCKER-USER. It carries the run's comment, so that a sweep
// finds it. Its words are its identity: a rule with other words is another rule.
type Rule struct {
	Run    lab.RunID // empty: it carries no comment, and is for a host of the run's own
	Family lab.Family
	Table  string
	Chain  string
	Spec   []string // matches and target, in the words of iptables(8), without the comment
}

// ID names the table, the chain and the rule's words.
func (r Rule) ID() string {
	return "rule " + where(r.Family, r.Table, r.Chain) + " " + strings.Join(r.Spec, " ")
}

// Apply inserts the rule before all others of the chain.
func (r Rule) Apply(_ context.Context, h lab.Host) error {
	rules, err := h.Rules(r.Family)
	if err != nil {
		return err
	}
	return rules.Insert(r.Table, r.Chain, r.words()...)
}

// Revert deletes the rule.
func (r Rule) Revert(_ context.Context, h lab.Host) error {
	rules, err := h.Rules(r.Family)
	if err != nil {
		return err
	}
	return rules.Delete(r.Table, r.Chain, r.words()...)
}

// Shell inserts the rule.
func (r Rule) Shell() []string {
	return []string{iptables(r.Family, r.Table, append([]string{"-I", r.Chain}, r.words()...)...)}
}

// Undo deletes the rule.
func (r Rule) Undo() []string {
	return []string{iptables(r.Family, r.Table, append([]string{"-D", r.Chain}, r.words()...)...)}
}

func (r Rule) words() []string {
	if r.Run == "" {
		return r.Spec
	}
	return append([]string{"-m", "comment", "--comment", r.Run.Comment()}, r.Spec...)
}
