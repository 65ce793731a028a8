package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/portlab/portlab/lab"
)

// routes is the fake of [lab.Routes].
type routes struct{ h *Host }

// Routes gives the routes that steps have made; those of links are always there.
func (h *Host) Routes() lab.Routes { return routes{h} }

func (r routes) Set(to netip.Prefix, hops []lab.Hop) error {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if err := r.h.mutate("route " + to.String()); err != nil {
		return err
	}
	if to != to.Masked() || len(hops) == 0 {
		return fmt.Errorf("route %s over %v: invalid argument", to, hops)
	}
	for _, hop := range hops {
		if !r.h.onLink(hop) {
			return fmt.Errorf("route %s: nexthop %s has invalid gateway", to, hop.Via)
		}
		if hop.Weight < 1 || hop.Weight > 256 {
			return fmt.Errorf("route %s: invalid weight %d", to, hop.Weight)
		}
	}
	r.h.routes[to] = slices.Clone(hops)
	return nil
}

// onLink says whether the next hop is a neighbour on its link.
func (h *Host) onLink(hop lab.Hop) bool {
	return slices.ContainsFunc(h.links, func(l Link) bool { return l.Name == hop.Link && l.Prefix.Contains(hop.Via) })
}

func (r routes) Delete(to netip.Prefix) error {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if err := r.h.mutate("delete the route " + to.String()); err != nil {
		return err
	}
	delete(r.h.routes, to)
	return nil
}

// hop is the next hop of a packet by the routes of steps; none where it takes a
// link's own. The host chooses by the hash that fib_multipath_hash_policy says
// (ip-sysctl.rst): 0 takes the addresses, the others the ports, too.
func (w *walker) hop() (lab.Hop, bool) {
	for to, hops := range w.host.routes {
		if !to.Contains(w.destination.Addr()) || w.host.isLocal(w.destination.Addr()) {
			continue
		}
		source, destination := w.source, w.destination
		if w.host.sysctls[multipath[familyOf(w.destination)]] == "0" {
			source, destination = netip.AddrPortFrom(source.Addr(), 0), netip.AddrPortFrom(destination.Addr(), 0)
		}
		sum := 0
		for _, h := range hops {
			sum += h.Weight
		}
		at := int(hashOf(uint32(sum), source, destination))
		for _, h := range hops {
			if at -= h.Weight; at < 0 {
				return h, true
			}
		}
	}
	return lab.Hop{}, false
}

// route is the link by which the packet leaves: that of the next hop, if a
// route of steps leads there.
func (w *walker) route() string {
	if hop, ok := w.hop(); ok {
		w.via = hop.Via
		return hop.Link
	}
	w.via = netip.Addr{}
	return w.host.route(w.destination.Addr())
}

// multipath is the parameter that says by what the next hop is chosen, by family.
var multipath = map[lab.Family]string{
	lab.IPv4: "net.ipv4.fib_multipath_hash_policy", lab.IPv6: "net.ipv6.fib_multipath_hash_policy",
}

// ipRoute understands replace and del of ip(8)'s routes.
func (h *Host) ipRoute(words []string) error {
	if len(words) > 0 && words[0] == "-6" {
		words = words[1:]
	}
	if len(words) < 3 || words[0] != "route" {
		return fmt.Errorf("route replace or route del was expected: %q", words)
	}
	to, err := netip.ParsePrefix(words[2])
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(words[2]); err != nil {
			return err
		}
		to = netip.PrefixFrom(a, a.BitLen())
	}
	switch {
	case words[1] == "replace":
		hops, err := parseHops(words[3:])
		if err != nil {
			return err
		}
		return routes{h}.Set(to, hops)
	case words[1] == "del" && len(words) == 3:
		if h.routes[to] == nil {
			return errors.New("RTNETLINK answers: No such process")
		}
		return routes{h}.Delete(to)
	}
	return fmt.Errorf("unknown: %q", words)
}

func parseHops(words []string) (hops []lab.Hop, err error) {
	for w := range slices.Chunk(words, 7) {
		if len(w) != 7 || w[0] != "nexthop" || w[1] != "via" || w[3] != "dev" || w[5] != "weight" {
			return nil, fmt.Errorf("nexthop via ADDRESS dev LINK weight NUMBER was expected: %q", w)
		}
		hop := lab.Hop{Link: w[4]}
		if hop.Via, err = netip.ParseAddr(w[2]); err != nil {
			return nil, err
		}
		if hop.Weight, err = strconv.Atoi(w[6]); err != nil {
			return nil, err
		}
		hops = append(hops, hop)
	}
	return hops, nil
}
