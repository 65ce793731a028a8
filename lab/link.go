package lab

import (
	"context"
	"fmt"
	"strings"
)

// LinkKind is how a replica with a network namespace of its own ([OwnNetns]) is
// linked to the host.
type LinkKind string

// The kinds of link. Of the last two, all are made on one parent link, and the
// host has one of its own beside the replicas': what a parent sends itself
// reaches none of the links on it.
const (
	LinkBridge  LinkKind = "bridge"  // a veth pair (veth(4)), of which one end is a port of a bridge; also what "" means
	LinkMacvlan LinkKind = "macvlan" // mode bridge: a hardware address of its own on the parent (ip-link(8))
	LinkIPvlan  LinkKind = "ipvlan"  // mode L2: the parent's hardware address and an IP address of its own (networking/ipvlan.rst)
)

// LinkKinds lists them all, in the order in which they are shown.
func LinkKinds() []LinkKind { return []LinkKind{LinkBridge, LinkMacvlan, LinkIPvlan} }

// ParseLinkKind turns a word of the command line into a kind of link. What is
// none is a usage error that names them all.
func ParseLinkKind(s string) (LinkKind, error) {
	var words []string
	for _, k := range LinkKinds() {
		if string(k) == s {
			return k, nil
		}
		words = append(words, string(k))
	}
	return "", Usagef("the kind of link must be one of %s, not %q", strings.Join(words, ", "), s)
}

// OnParent says whether links of this kind are made on a parent, so that the
// host has one as well and there is no bridge.
func (k LinkKind) OnParent() bool { return k == LinkMacvlan || k == LinkIPvlan }

// Caveats are what the reader of a result must know of this kind of link, one
// sentence each; none of a bridge, of which the strategies speak themselves.
func (k LinkKind) Caveats() []string {
	switch k {
	case LinkMacvlan:
		return []string{
			"The replicas are on macvlan links (mode bridge), and so is the host, with a link of its own: that one is meant where a bridge is spoken of.",
			"Without a macvlan link of its own the host would reach no replica: frames that the parent link sends reach none of the links on it.",
		}
	case LinkIPvlan:
		return []string{
			"The replicas are on ipvlan links (mode L2), and so is the host, with a link of its own: that one is meant where a bridge is spoken of.",
			"Without an ipvlan link of its own the host would reach no replica: frames that the parent link sends reach none of the links on it.",
			"What a replica sends to an address of no ipvlan link, such as its answers to other machines, comes in on the host by the parent: that must have an address, and a loose reverse-path filter (rp_filter 2).",
		}
	}
	return nil
}

// Note is what a reader of figures must know of links on a parent: one sentence.
func (k LinkKind) Note() string {
	return fmt.Sprintf("The replicas and the host are on %s links of one parent, not on a bridge.", k)
}

// WhyNotOn is why the strategy cannot work with a kind of link; empty if it can.
func (n Needs) WhyNotOn(k LinkKind) string {
	switch {
	case !k.OnParent():
		return ""
	case n.Placement == HostNetns:
		return "its replicas are in the host's network and have no link of their own"
	case n.Placement == SharedNetns:
		return "its replicas share one network namespace and have no link of their own"
	case n.Publish.NeedsEngine():
		return "an engine publishes ports of containers on bridge networks only"
	case n.SharedAddress && k == LinkIPvlan:
		return "an ipvlan link is told from the others by its addresses, so the replicas cannot share one"
	}
	return ""
}

// checkLink returns an [UnsupportedError] for a strategy that cannot work with
// the kind of link that is asked for.
func (t *Trial) checkLink() error {
	why := t.Strategy.Needs().WhyNotOn(t.Fleet.Link)
	if why == "" {
		return nil
	}
	return &UnsupportedError{
		What: fmt.Sprintf("%s with %s links", t.Strategy.Name(), t.Fleet.Link), Reason: why,
		Remedy: "leave --link out, or choose a strategy that leads to replicas in namespaces of their own, such as dnat",
	}
}

// Linker is a [Host] that can tell which kinds of links its kernel has.
type Linker interface {
	Host
	// CheckLink makes a link of a kind where nobody sees it and takes it away
	// again. It returns an [UnsupportedError] where the kernel has none or this
	// user may make none.
	CheckLink(ctx context.Context, k LinkKind) error
}

// canLink asks a host, if it can tell, for the kind of link that the trial wants.
func (t *Trial) canLink(ctx context.Context, h Host) error {
	l, ok := h.(Linker)
	if !ok || !t.Fleet.Link.OnParent() {
		return nil
	}
	return l.CheckLink(ctx, t.Fleet.Link)
}
