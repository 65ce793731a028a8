package step

import (
	"context"
	"errors"
	"fmt"

	"github.com/portlab/portlab/lab"
)

// Chain is a chain of the run's own with its rules. Its name carries the run's
// id ([lab.RunID.Chain]), so that a sweep finds it.
type Chain struct {
	Family lab.Family
	Table  string // such as nat
	Name   string
	Rules  [][]string // in order, each the words that follow the chain's name in iptables(8)
}

// ID names the table and the chain.
func (c Chain) ID() string { return "chain " + where(c.Family, c.Table, c.Name) }

// Apply makes the chain and fills it.
func (c Chain) Apply(_ context.Context, h lab.Host) error {
	rules, err := h.Rules(c.Family)
	if err != nil {
		return err
	}
	if err := rules.NewChain(c.Table, c.Name); err != nil {
		return err
	}
	if err := rules.SetChain(c.Table, c.Name, c.Rules); err != nil {
		return errors.Join(err, rules.DeleteChain(c.Table, c.Name))
	}
	return nil
}

// Replace swaps the rules in one transaction: each packet meets the old rules
// or the new ones, and never an empty chain.
func (c Chain) Replace(_ context.Context, h lab.Host, next lab.Step) error {
	n, ok := next.(Chain)
	if !ok || n.ID() != c.ID() {
		return fmt.Errorf("%s cannot become %s", c.ID(), next.ID())
	}
	rules, err := h.Rules(n.Family)
	if err != nil {
		return err
	}
	return rules.SetChain(n.Table, n.Name, n.Rules)
}

// Revert deletes the chain.
func (c Chain) Revert(_ context.Context, h lab.Host) error {
	rules, err := h.Rules(c.Family)
	if err != nil {
		return err
	}
	return rules.DeleteChain(c.Table, c.Name)
}

// Shell makes the chain, one line for it and one for each rule.
func (c Chain) Shell() []string {
	lines := []string{iptables(c.Family, c.Table, "-N", c.Name)}
	for _, r := range c.Rules {
		lines = append(lines, iptables(c.Family, c.Table, append([]string{"-A", c.Name}, r...)...))
	}
	return lines
}

// Undo empties and deletes the chain.
func (c Chain) Undo() []string {
	return []string{
		iptables(c.Family, c.Table, "-F", c.Name),
		iptables(c.Family, c.Table, "-X", c.Name),
	}
}
