package netns

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// hand writes a fleet as commands of ip(8), in named namespaces.
type hand struct {
	spec  lab.FleetSpec
	l     layout
	lines []string
}

// byHand is how to make the same fleet by hand, how to take it away again, and
// the prefix of a command on its host.
func byHand(spec lab.FleetSpec, b lab.Blueprint) (host string, shell, undo []string) {
	h := &hand{spec: spec, l: layoutOf(spec.Family)}
	h.host()
	h.client()
	plans := plansOf(spec, b.Front)
	for _, p := range namespacesOf(plans) {
		h.namespace(p)
	}
	if spec.Inherit == lab.InheritShared {
		h.processes(plans)
	} else {
		for _, p := range plans {
			h.process(p)
		}
	}
	return h.under(onHost), h.lines, h.undo(plans)
}

// name is that of a namespace, with the run's id.
func (h *hand) name(where string) string { return h.spec.Run.Object(where) }

// under is the prefix of a command in a namespace.
func (h *hand) under(where string) string { return "ip netns exec " + h.name(where) }

// ip adds commands of ip(8), in a namespace.
func (h *hand) ip(where string, commands ...string) {
	for _, c := range commands {
		h.lines = append(h.lines, "ip -n "+h.name(where)+" "+c)
	}
}

// make adds an empty namespace.
func (h *hand) make(where string) {
	h.lines = append(h.lines, "ip netns add "+h.name(where))
	h.ip(where, "link set lo up")
}

// link gives a link its addresses and brings it up.
func (h *hand) link(where, name string, addresses ...netip.Prefix) {
	for _, a := range addresses {
		add := fmt.Sprintf("addr add %s dev %s", a, name)
		if a.Addr().Is6() {
			add += " nodad"
		}
		h.ip(where, add)
	}
	h.ip(where, "link set "+name+" up")
}

// router is link for one of the host's.
func (h *hand) router(name string, address netip.Prefix) {
	if address.Addr().Is6() {
		h.link(onHost, name, address, kernel.RouterLinkLocal)
		return
	}
	h.link(onHost, name, address)
}

func (h *hand) host() {
	h.make(onHost)
	if h.spec.Link.OnParent() {
		ip, sysctl := h.l.parent(h.spec.Link, nil).Shell()
		h.ip(onHost, ip...)
		for _, words := range sysctl {
			h.lines = append(h.lines, h.under(onHost)+" sysctl "+words)
		}
	} else {
		h.ip(onHost, "link add "+bridge+" type bridge mcast_snooping 0")
	}
	h.router(toReplicas(h.spec.Link), within(h.l.subnet, h.l.gateway))
	for _, s := range sysctlsOf(h.spec.Family) {
		line := fmt.Sprintf("%s sysctl -w %s=%s", h.under(onHost), s.name, s.value)
		if s.optional {
			line += " || true"
		}
		h.lines = append(h.lines, line)
	}
}

func (h *hand) client() {
	h.make(outside)
	h.ip(onHost, fmt.Sprintf("link add %s type veth peer name %s netns %s", lan, inside, h.name(outside)))
	h.router(lan, within(h.l.lan, h.l.host))
	h.link(outside, inside, within(h.l.lan, h.l.client))
	h.ip(outside, "route add default via "+h.l.host.String())
}

// namespace is one behind the host's link to the replicas.
func (h *hand) namespace(p plan) {
	h.make(p.where)
	if h.spec.Link.OnParent() {
		h.ip(onHost, h.l.parent(h.spec.Link, nil).ShellOnParent(inside, h.name(p.where)))
	} else {
		h.ip(onHost, fmt.Sprintf("link add %s type veth peer name %s netns %s", portOf(p.where), inside, h.name(p.where)),
			fmt.Sprintf("link set %s master %s up", portOf(p.where), bridge))
	}
	h.link(p.where, inside, within(h.l.subnet, h.l.replica(p.index)))
	h.ip(p.where, "route add default via "+h.l.gateway.String())
	if h.spec.SharedAddress {
		h.link(p.where, "lo", netip.PrefixFrom(h.l.shared, h.l.shared.BitLen()))
	}
}

// process starts a replica in the background. Sockets to inherit are made on
// the host, before the program goes into its own namespace.
func (h *hand) process(p plan) {
	line := lab.ShellLine(h.words(p)...)
	if len(p.sockets) > 0 {
		line = lab.ShellUnder(h.under(onHost), lab.ShellInherit(firstSocket, p.sockets, h.words(p)))
	}
	h.lines = append(h.lines, line+" &")
}

// processes starts replicas that inherit the same sockets: those of one shell
// on the host, which waits until they have ended.
func (h *hand) processes(plans []plan) {
	var all strings.Builder
	for _, p := range plans {
		all.WriteString(lab.ShellLine(h.words(p)...) + " & ")
	}
	words := []string{"sh", "-c", all.String() + "wait"}
	h.lines = append(h.lines, lab.ShellUnder(h.under(onHost), lab.ShellInherit(firstSocket, plans[0].sockets, words))+" &")
}

// firstSocket is the first descriptor that is inherited (sd_listen_fds(3),
// SD_LISTEN_FDS_START).
const firstSocket = 3

// words are a replica's command, in its namespace.
func (h *hand) words(p plan) []string {
	words := append(strings.Fields(h.under(p.where)), "env")
	for _, e := range p.env {
		if e[1] != "" {
			words = append(words, e[0]+"="+e[1])
		}
	}
	return append(words, "bin/portlab", "serve")
}

// undo ends the processes and deletes the namespaces, with all that is in them.
func (h *hand) undo(plans []plan) []string {
	all := []string{onHost}
	for _, p := range namespacesOf(plans) {
		all = append(all, p.where)
	}
	var lines []string
	for _, where := range all {
		// One that was told to end before may end between the two commands.
		lines = append(lines, "ip netns pids "+h.name(where)+" | xargs -r kill || true")
	}
	for _, where := range append(all, outside) {
		lines = append(lines, "ip netns del "+h.name(where))
	}
	return lines
}
