package step

import (
	"context"
	"fmt"

	"github.com/portlab/portlab/lab"
)

// Table is a table of nftables of the run's own, with all that is in it. Its
// name carries the run's id ([lab.RunID.Table]), so that a sweep finds it.
type Table struct {
	lab.NftTable
	// Flows are the connections that its rules translate. Those to a replica
	// that leaves are forgotten once no rule leads to it any more.
	Flows Flows
}

// ID names the IP version and the table.
func (t Table) ID() string { return fmt.Sprintf("nftables ip%d %s", t.Family, t.Name) }

// Apply makes the table in one transaction.
func (t Table) Apply(_ context.Context, h lab.Host) error {
	tables, err := h.Nftables()
	if err != nil {
		return err
	}
	return tables.Set(t.NftTable)
}

// Replace swaps the rules and the elements of the maps in one transaction.
func (t Table) Replace(ctx context.Context, h lab.Host, next lab.Step) error {
	n, ok := next.(Table)
	if !ok || n.ID() != t.ID() {
		return fmt.Errorf("%s cannot become %s", t.ID(), next.ID())
	}
	if err := n.Apply(ctx, h); err != nil {
		return err
	}
	return t.Flows.Replace(ctx, h, n.Flows)
}

// Revert deletes the table.
func (t Table) Revert(ctx context.Context, h lab.Host) error {
	tables, err := h.Nftables()
	if err != nil {
		return err
	}
	if err := tables.Delete(t.Family, t.Name); err != nil {
		return err
	}
	return t.Flows.Revert(ctx, h)
}

// Shell makes the table by one command, which is one transaction too.
func (t Table) Shell() []string {
	return []string{"nft -f - <<'EOF'\n" + script(t.NftTable) + "EOF"}
}

// Undo deletes the table.
func (t Table) Undo() []string {
	return append([]string{lab.ShellLine("nft", "delete", "table", nftFamily(t.Family), t.Name)}, t.Flows.Undo()...)
}
