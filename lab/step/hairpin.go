package step

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// Hairpin lets the ports of the run's own bridge send a frame back where it
// came from. Where the bridge's frames pass through iptables
// (net.bridge.bridge-nf-call-iptables), the destination is rewritten before
// the bridge looks for the port, and a replica that calls the front and gets
// itself would otherwise wait for ever. Ports are given the mode that are there
// when the step is applied, so it belongs to the replicas behind them.
type Hairpin struct {
	Bridge   string
	Replicas []netip.AddrPort
}

// ID names the bridge.
func (s Hairpin) ID() string { return "hairpin of " + s.Bridge }

// Apply gives the mode to all ports.
func (s Hairpin) Apply(_ context.Context, h lab.Host) error {
	return h.Bridges().Hairpin(s.Bridge, true)
}

// Replace gives it to the new ports, too.
func (s Hairpin) Replace(ctx context.Context, h lab.Host, next lab.Step) error {
	if next.ID() != s.ID() {
		return fmt.Errorf("%s cannot become %s", s.ID(), next.ID())
	}
	return next.Apply(ctx, h)
}

// Revert takes it from all ports; it is content when the bridge is gone.
func (s Hairpin) Revert(_ context.Context, h lab.Host) error {
	err := h.Bridges().Hairpin(s.Bridge, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Shell gives the mode to all ports.
func (s Hairpin) Shell() []string { return s.lines("on") }

// Undo takes it from all ports.
func (s Hairpin) Undo() []string { return s.lines("off") }

func (s Hairpin) lines(mode string) []string {
	return []string{"ip -o link show master " + s.Bridge +
		" | awk -F '[:@ ]+' '{print $2}' | xargs -r -I PORT ip link set PORT type bridge_slave hairpin " + mode}
}
