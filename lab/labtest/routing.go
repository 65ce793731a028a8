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

// route is the link by which a is reached: lo for the host itself, else the
// one whose network a is in, else the first that is not lo, as if the default
// route were there.
func (h *Host) route(a netip.Addr) string {
	if h.isLocal(a) {
		return "lo"
	}
	first := ""
	for _, l := range h.links {
		if l.Prefix.Contains(a) {
			return l.Name
		}
		if first == "" && l.Name != "lo" {
			first = l.Name
		}
	}
	return first
}

// addressOn is the host's address on a link.
func (h *Host) addressOn(link string) netip.Addr {
	for _, l := range h.links {
		if l.Name == link {
			return l.Prefix.Addr()
		}
	}
	return netip.Addr{}
}

// localnet says whether 127.0.0.0/8 may be routed by a link: the parameter of
// the link or that of all (Documentation/networking/ip-sysctl.rst).
func (h *Host) localnet(link string) bool {
	return h.sysctls["net.ipv4.conf."+link+".route_localnet"] == "1" ||
		h.sysctls["net.ipv4.conf.all.route_localnet"] == "1"
}

func familyOf(a netip.AddrPort) lab.Family {
	if a.Addr().Is4() {
		return lab.IPv4
	}
	return lab.IPv6
}

// AddEngine gives the host the rules that Docker 20.10 leaves for a bridge
// network: forwarding is dropped unless DOCKER-USER or the bridge's own rules
// accept it, and what the replicas send elsewhere is masqueraded.
func (h *Host) AddEngine(bridge string, subnet netip.Prefix) {
	f := &rules{h: h, family: lab.IPv4}
	must := func(err error) {
		if err != nil {
			h.t.Fatalf("labtest: rules of the engine: %v", err)
		}
	}
	must(f.NewChain("filter", "DOCKER-USER"))
	must(f.add("filter", "DOCKER-USER", "-j", "RETURN"))
	for _, r := range [][]string{
		{"-j", "DOCKER-USER"},
		{"-o", bridge, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"},
		{"-i", bridge, "!", "-o", bridge, "-j", "ACCEPT"},
		{"-i", bridge, "-o", bridge, "-j", "ACCEPT"},
	} {
		must(f.add("filter", "FORWARD", r...))
	}
	must(f.add("nat", "POSTROUTING", "-s", subnet.String(), "!", "-o", bridge, "-j", "MASQUERADE"))
	h.given(func() {
		forward := h.filters[lab.IPv4]["filter"]
		forward["FORWARD"] = &chain{policy: "DROP", rules: forward["FORWARD"].rules}
		h.mutations = 0
	})
}
