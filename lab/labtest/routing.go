package labtest

import (
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// isLocal says whether a is one of the host's own addresses.
func (h *Host) isLocal(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	for _, l := range h.links {
		if l.Prefix.Addr() == a {
			return true
		}
	}
	return false
}

// forwarding is the parameter that makes the host a router, by family.
var forwarding = map[lab.Family]string{lab.IPv4: "net.ipv4.ip_forward", lab.IPv6: "net.ipv6.conf.all.forwarding"}

// route is the link by which a is reached: lo for the host itself, else the
// one whose network a is in, else the first of a's family that is not lo, as
// if the default route were there.
func (h *Host) route(a netip.Addr) string {
	if h.isLocal(a) {
		return "lo"
	}
	first := ""
	for _, l := range h.links {
		if l.Prefix.Contains(a) {
			return l.Name
		}
		if first == "" && l.Name != "lo" && l.Prefix.IsValid() && l.Prefix.Addr().Is4() == a.Is4() {
			first = l.Name
		}
	}
	return first
}

// addressOn is the host's address of a family on a link.
func (h *Host) addressOn(link string, ip lab.Family) netip.Addr {
	for _, l := range h.links {
		if l.Name == link && l.Prefix.Addr().Is4() == (ip == lab.IPv4) {
			return l.Prefix.Addr()
		}
	}
	return netip.Addr{}
}

// localnet says whether a loopback address may be routed by a link that is not
// the loopback link. For 127.0.0.0/8 that is the parameter of the link or that
// of all (Documentation/networking/ip-sysctl.rst); for ::1 there is none.
func (h *Host) localnet(link string, a netip.Addr) bool {
	return a.Is4() && (h.sysctls["net.ipv4.conf."+link+".route_localnet"] == "1" ||
		h.sysctls["net.ipv4.conf.all.route_localnet"] == "1")
}

func familyOf(a netip.AddrPort) lab.Family {
	if a.Addr().Is4() {
		return lab.IPv4
	}
	return lab.IPv6
}

// AddEngine gives the host the rules that Docker 20.10 leaves for a bridge
// network: forwarding is dropped unless DOCKER-USER or the bridge's own rules
// accept it, and what the replicas send elsewhere is masqueraded. For a network
// with no bridge, the name of which is empty then, it leaves only the first.
func (h *Host) AddEngine(bridge string, subnet netip.Prefix) {
	f := &rules{h: h, family: lab.IPv4}
	must := func(err error) {
		if err != nil {
			h.t.Fatalf("labtest: rules of the engine: %v", err)
		}
	}
	must(f.NewChain("filter", "DOCKER-USER"))
	must(f.add("filter", "DOCKER-USER", "-j", "RETURN"))
	must(f.add("filter", "FORWARD", "-j", "DOCKER-USER"))
	for _, r := range [][]string{
		{"-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"},
		{"-i", bridge, "!", "-o", bridge, "-j", "ACCEPT"},
		{"-i", bridge, "-o", bridge, "-j", "ACCEPT"},
	} {
		if bridge != "" {
			must(f.add("filter", "FORWARD", r...))
		}
	}
	if bridge != "" {
		must(f.add("nat", "POSTROUTING", "-s", subnet.String(), "!", "-o", bridge, "-j", "MASQUERADE"))
	}
	h.given(func() {
		forward := h.filters[lab.IPv4]["filter"]
		forward["FORWARD"] = &chain{policy: "DROP", rules: forward["FORWARD"].rules}
		h.mutations = 0
	})
}
