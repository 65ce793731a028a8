package labtest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
)

// Packet is the first packet of a connection.
type Packet struct {
	Protocol    string // tcp or udp; empty: tcp
	In          string // the link by which it reaches the host; empty: the host itself sends it
	Source      netip.AddrPort
	Destination netip.AddrPort
}

// Path is what becomes of a [Packet] and of the answer to it.
type Path struct {
	// Source and Destination are what its receiver sees.
	Source, Destination netip.AddrPort
	// Out is the link by which it leaves the host; lo: it is for the host itself.
	Out string
	// Via is the neighbour that a route of steps sends it to; invalid: it takes a
	// link's own.
	Via netip.Addr
	// Lost says why it, or the answer, never arrives; empty: both do.
	Lost string
}

// Seed starts the generator behind the random matches anew.
func (h *Host) Seed(seed uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.random = rand.New(rand.NewPCG(seed, 0))
}

// Trace walks a packet through the host as the kernel would: translation of
// the destination, routing, filtering, translation of the source. Every packet
// is taken for the first of its connection; tracked connections play no part.
func (h *Host) Trace(p Packet) Path {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &walker{
		host: h, protocol: p.Protocol, in: p.In,
		source: p.Source, destination: p.Destination, original: p.Destination,
	}
	if w.protocol == "" {
		w.protocol = "tcp"
	}
	w.walk()
	return Path{Source: w.source, Destination: w.destination, Out: w.out, Via: w.via, Lost: w.lost}
}

// walker is a packet on its way. Matches read it.
type walker struct {
	host                *Host
	protocol            string
	in, out             string
	via                 netip.Addr
	source, destination netip.AddrPort
	original            netip.AddrPort // the destination that it began with
	translated          bool           // its destination was
	masqueraded         bool           // its source was
	lost                string
}

func (w *walker) walk() {
	if w.in == "" {
		w.send()
	} else {
		w.receive()
	}
	if w.lost == "" {
		w.answer()
	}
}

// send takes the way of what the host itself sends.
func (w *walker) send() {
	w.out = w.route()
	w.hook("nat", "OUTPUT")
	w.out = w.route()
	w.passLoopback("leave", w.out, w.source.Addr())
	w.hook("filter", "OUTPUT")
	w.hook("nat", "POSTROUTING")
	if w.out == "lo" {
		w.in = "lo"
		w.hook("filter", "INPUT")
	}
}

// receive takes the way of what comes in by a link.
func (w *walker) receive() {
	w.passLoopback("come in", w.in, w.destination.Addr())
	w.hook("nat", "PREROUTING")
	w.out = w.route()
	if w.out == "lo" {
		w.out = ""
		w.hook("filter", "INPUT")
		w.out = "lo"
		return
	}
	if name := forwarding[familyOf(w.destination)]; w.host.sysctls[name] != "1" {
		w.lose("the host does not forward: %s is not 1", name)
	}
	w.hook("filter", "FORWARD")
	w.hook("nat", "POSTROUTING")
}

// passLoopback loses a packet whose loopback address may not pass by a link.
func (w *walker) passLoopback(how, link string, a netip.Addr) {
	switch {
	case link == "lo" || !a.IsLoopback() || w.host.localnet(link, a):
	case a.Is4():
		w.lose("a loopback address may not %s by %s: route_localnet is 0", how, link)
	default:
		w.lose("a loopback address may not %s by %s: IPv6 has no route_localnet", how, link)
	}
}

// answer finds out whether the answer comes back by the host, which must
// translate it back.
func (w *walker) answer() {
	if w.out != "lo" && w.source.Addr().IsLoopback() {
		w.lose("the receiver cannot answer to the loopback address %s", w.source)
	}
	if !w.translated || w.masqueraded || w.out == "lo" || w.host.isLocal(w.source.Addr()) {
		return
	}
	if w.host.route(w.source.Addr()) == w.out {
		w.lose("%s answers %s directly, which does not know it", w.destination, w.source)
	}
}

func (w *walker) lose(format string, args ...any) {
	if w.lost == "" {
		w.lost = fmt.Sprintf(format, args...)
	}
}

// hook takes the packet through a built-in chain and then, unless it is
// translated, through the chains of nftables there.
func (w *walker) hook(table, chain string) {
	if w.lost != "" {
		return
	}
	source, destination := w.source, w.destination
	t := w.host.filters[familyOf(w.destination)][table]
	if !w.chain(t, chain) && t[chain].policy == "DROP" {
		w.lose("dropped by the policy of %s/%s", table, chain)
	}
	if w.lost == "" && w.source == source && w.destination == destination {
		w.nftHook(table, strings.ToLower(chain))
	}
}

// chain walks the rules of one chain and says whether the packet's fate in
// this table is decided.
func (w *walker) chain(t table, name string) bool {
	for _, r := range t[name].rules {
		if !w.meant(r) {
			continue
		}
		switch r.target {
		case "RETURN":
			return false
		case "":
			if w.chain(t, r.jump) {
				return true
			}
			continue
		case "DROP":
			w.lose("dropped by a rule of %s", name)
		case "DNAT":
			w.translate(r.to)
		case "MASQUERADE":
			w.masquerade()
		}
		return true
	}
	return false
}

func (w *walker) meant(r rule) bool {
	for _, m := range r.matches {
		if !m(w) {
			return false
		}
	}
	return true
}

func (w *walker) masquerade() {
	w.source, w.masqueraded = netip.AddrPortFrom(w.host.addressOn(w.out, familyOf(w.source)), w.source.Port()), true
}

func (w *walker) translate(to netip.AddrPort) {
	if to.Port() == 0 {
		to = netip.AddrPortFrom(to.Addr(), w.destination.Port())
	}
	w.destination, w.translated = to, true
}
