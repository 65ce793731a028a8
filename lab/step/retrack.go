package step

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// Retrack has rules that lead on from a front count for those, too, who have
// sent to it before. Rules of the nat table are asked once for each connection
// that the kernel tracks, and over UDP whoever goes on to send from one port
// has one connection: it would pass the rules by until it was silent for 30
// seconds (nf_conntrack_udp_timeout). So entries without a translation are
// deleted. It belongs after all rules.
type Retrack struct {
	Transport string // "tcp" or "udp"; empty: tcp
	Front     []netip.AddrPort
}

// ID names the front.
func (r Retrack) ID() string { return fmt.Sprintf("retrack %v", r.Front) }

// Apply forgets what the front itself answers.
func (r Retrack) Apply(_ context.Context, h lab.Host) error {
	_, err := h.Flows().Forget(r.Front, r.Front)
	return err
}

// Revert does nothing: what was forgotten is tracked again by itself.
func (r Retrack) Revert(context.Context, lab.Host) error { return nil }

// Shell deletes the entries; conntrack(8) fails where there are none, which is
// no failure here.
func (r Retrack) Shell() []string {
	var lines []string
	for _, front := range r.Front {
		lines = append(lines, forget(r.Transport, front, front))
	}
	return lines
}

// Undo is empty: there is nothing to undo.
func (r Retrack) Undo() []string { return nil }

// forget deletes, by hand, what is sent to a front and answered from elsewhere.
func forget(transport string, front, from netip.AddrPort) string {
	return lab.ShellLine("conntrack", "-D", "-p", cmp.Or(transport, "tcp"),
		"-d", front.Addr().String(), "--orig-port-dst", port(front),
		"-r", from.Addr().String(), "--reply-port-src", port(from)) + " || true"
}
