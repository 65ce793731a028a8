package strategies

import (
	"net/netip"

	"github.com/portlab/portlab/lab"
)

func init() { register(dnsRR{client: string(lab.GoClient), order: orderRotate}) }

// dnsRR gives the replicas' addresses to one name of DNS, which real clients
// look up.
type dnsRR struct{ client, order string }

// The orders of the addresses in an answer, as BIND's rrset-order has them.
const (
	orderRotate = "rotate"
	orderFixed  = "fixed"
	orderRandom = "random"
)

const (
	// dnsTTL is how long an answer may be kept.
	dnsTTL = "30s"
	// dnsPort is where the C library asks (resolv.conf(5)).
	dnsPort = 53
)

func (dnsRR) Name() string { return "dns-rr" }

// Options implements [lab.Configurable].
func (dnsRR) Options() []lab.Option {
	return []lab.Option{
		{
			Name:   "client",
			Values: []string{string(lab.GoClient), string(lab.GlibcClient), string(lab.CurlClient), string(lab.CachedClient)},
			Meaning: "what looks the name up; go: Go's resolver for each connection, glibc: getaddrinfo for each, " +
				"curl: curl for each, cached: once, and the answer is kept for life",
		},
		{
			Name: "order", Values: []string{orderRotate, orderFixed, orderRandom},
			Meaning: "of the addresses in an answer; rotate: each begins with the next one, fixed: always the same, random: shuffled",
		},
	}
}

// Settings implements [lab.Configurable].
func (s dnsRR) Settings() map[string]string {
	return map[string]string{"client": s.client, "order": s.order}
}

// With implements [lab.Configurable].
func (dnsRR) With(settings map[string]string) lab.Strategy {
	return dnsRR{client: settings["client"], order: settings["order"]}
}

func (dnsRR) About() lab.About {
	return lab.About{
		Summary: "one name with the addresses of all replicas, in turn from answer to answer: round-robin DNS",
		Path: []string{
			"The client asks the name server on the host for the addresses of the name: for each connection or, with client=cached, once.",
			"The server gives the addresses of all replicas; with order=rotate each answer begins with the next one.",
			"The client's resolver may sort them (RFC 6724). The client dials the first and, where that fails, the next.",
			"The host routes the packets to the replicas' bridge and back; nothing rewrites them.",
		},
		Caveats: append(directCaveats(),
			"The shares are the clients' affair: one that keeps its answer calls one replica for life, whatever the server does.",
			"The C library, and curl with it, sorts addresses by the longest prefix that they share with the client's own (RFC 6724, rule 9): "+
				"a client in the replicas' network calls few of them, or one. Of IPv4 only those of its own network are sorted, and only on a machine that has IPv6, too.",
			"None of these clients looks at the TTL ("+dnsTTL+"). A cache in between, such as systemd-resolved, does; there is none here.",
			"Lookups that a client of Go makes at the same time share one question and one answer, and so their connections one replica.",
			"The latency has the lookup in it: with client=glibc and client=curl that is to start processes, too.",
			"A name leads to addresses and not to ports: all replicas listen on the same one.",
		),
		Sources: append(directSources(),
			"RFC 1035, RFC 1794 (DNS support for load balancing), RFC 6724 (the order of addresses)",
			"https://bind9.readthedocs.io/en/latest/reference.html (rrset-order)",
			"https://pkg.go.dev/net#hdr-Name_Resolution, https://pkg.go.dev/net#Dialer",
			"getaddrinfo(3), resolv.conf(5), gai.conf(5)",
		),
	}
}

func (s dnsRR) Needs() lab.Needs {
	const why = "the clients that look the name up make requests of HTTP/1.1"
	notFor := map[lab.Protocol]string{}
	for _, p := range lab.Protocols() {
		if p != lab.HTTP1 {
			notFor[p] = why
		}
	}
	return lab.Needs{
		Placement: lab.OwnNetns, Root: true, Null: s.null(), NotFor: notFor,
		NotFrom: map[lab.Vantage]string{
			lab.Localhost: "the name leads to the replicas' own addresses, from there as from vantage host",
		},
	}
}

// null is what clients do that take the addresses in the order of the answer.
func (s dnsRR) null() lab.Null {
	switch {
	case s.client == string(lab.CachedClient) || s.order == orderFixed:
		return lab.Single
	case s.order == orderRandom:
		return lab.Random
	}
	return lab.RoundRobin
}

// Workers is one: a single process keeps the turn.
func (dnsRR) Workers() int { return 1 }

// Targets gives all replicas: the name leads to each of them.
func (dnsRR) Targets(_ lab.Front, _ lab.Vantage, to []lab.Replica) []netip.AddrPort {
	return addresses(to)
}

// Lookup implements [lab.Named].
func (s dnsRR) Lookup(front lab.Front, _ lab.Vantage) lab.Lookup {
	return lab.Lookup{Client: lab.NameClient(s.client), Name: dnsName, Server: s.server(front)}
}

// server is where the name server listens: at the front, but for clients that
// know one port alone.
func (s dnsRR) server(front lab.Front) netip.AddrPort {
	if s.client == string(lab.GlibcClient) || s.client == string(lab.CurlClient) {
		return netip.AddrPortFrom(front.Address, dnsPort)
	}
	return netip.AddrPortFrom(front.Address, front.Port)
}

func (s dnsRR) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	server, err := names{sidecar: "names-" + string(f.Run), at: s.server(front), ttl: dnsTTL, order: s.order}.step(to)
	if err != nil {
		return nil, err
	}
	return append(admitClient(f, to), server), nil
}
