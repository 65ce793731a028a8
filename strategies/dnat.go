package strategies

import (
	"github.com/portlab/portlab/lab"
)

func init() { register(dnat{}) }

// dnat lets the kernel pick a replica at random for each new connection, by
// rules of iptables(8): the mechanism of kube-proxy's iptables mode.
type dnat struct{}

func (dnat) Name() string { return "dnat" }

func (dnat) About() lab.About {
	return lab.About{
		Summary: "iptables picks a replica at random for each connection and rewrites the destination",
		Path:    natPath(),
		Caveats: natCaveats(),
		OverUDP: natOverUDP(),
		Sources: natSources(),
	}
}

func (dnat) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Root: true, Null: lab.Random,
		Probes: []lab.Probe{iptables()}, NotFromIPv6: notFromLoopbackIPv6(),
	}
}

// Weighted marks that the shares follow the weights.
func (dnat) Weighted() {}

func (dnat) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	return expose(f, front, to, cascade(f, to, fair(to)))
}

func natPath() []string {
	return []string{
		"The first packet of a connection reaches the front's address and port on the host.",
		"nat/PREROUTING (from another machine or a replica) or nat/OUTPUT (from the host itself) sends it to the run's own chain.",
		"There each rule takes it with a probability, by the statistic match, and rewrites its destination to one replica.",
		"The host routes it to the replicas' bridge; where the filter table drops what is forwarded, a rule accepts what was translated and meant for the front.",
		"nat/POSTROUTING rewrites the source only for clients on 127.0.0.1 and for replicas: the others' addresses are kept.",
		"Conntrack remembers the choice: every later packet of the connection, and each answer, is translated with no rule asked.",
	}
}

func natOverUDP() []string {
	return []string{
		"A connection is what conntrack takes for one: datagrams of one client's address and port, until none comes for 30 seconds (nf_conntrack_udp_timeout), or for 120 once they go back and forth.",
		"A client that goes on to send from one port would pass new rules by, so what the kernel tracks of the front is forgotten once they are there; kube-proxy does the same.",
	}
}

func natCaveats() []string {
	return []string{
		"The choice is made once for each connection: requests on a connection that is kept alive all go to one replica, and so do the streams of one of HTTP/2.",
		"The rules know nothing of a replica's health: until they are changed, the share of a dead replica is refused.",
		"The rules are walked one by one, so the first packet costs more the more replicas there are.",
		"A replica sees the bridge's address, not the client's, where the client is on 127.0.0.1 or is a replica.",
		"For 127.0.0.1, route_localnet is set on the replicas' bridge; a rule keeps replicas from the host's loopback address.",
		"Docker 29 with its nftables back end has no DOCKER-USER, and an accept elsewhere is not final there: use its iptables back end.",
	}
}

func natSources() []string {
	return []string{
		"iptables-extensions(8): statistic, conntrack, addrtype, DNAT, MASQUERADE",
		"https://docs.kernel.org/networking/ip-sysctl.html (route_localnet)",
		"https://docs.kernel.org/networking/nf_conntrack-sysctl.html (nf_conntrack_udp_timeout)",
		"https://kubernetes.io/docs/reference/networking/virtual-ips/#proxy-mode-iptables",
		"https://www.cve.org/CVERecord?id=CVE-2020-8558 (why 127.0.0.0/8 is dropped from the bridge)",
	}
}
