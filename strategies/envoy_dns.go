package strategies

import (
	"fmt"
	"net/netip"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

// How Envoy learns of replicas by a name, which it asks for again and again.
const (
	envoyNamesPort  = 10053
	envoyNamesAgain = "0.2s" // from one question to the next; by default 5 s
)

func (e envoy) byName() bool { return e.has(discovery, discoveryStrictDNS) }

// source is where the replicas come from, in words.
func (e envoy) source() string {
	if e.byName() {
		return "a name that it asks for again and again"
	}
	return "a file that it watches"
}

// sourceCaveats are what to know of where the replicas come from.
func (e envoy) sourceCaveats() []string {
	if e.byName() {
		return []string{
			"The name server is portlab's own, which hears of a change at once; Envoy asks it five times a second, and by default every five seconds (dns_refresh_rate).",
			"A name gives its addresses neither ports nor weights: all replicas listen on the same port, and have equal shares.",
		}
	}
	return []string{
		"Envoy sees a file that is moved to where the old one was; one that is written in place it does not see.",
		"Weights must be whole numbers; random choice does not follow them.",
	}
}

// stepsByName give the replicas' addresses to a name. A change of them is the
// name server's alone.
func (e envoy) stepsByName(f lab.Facts, to []lab.Replica) ([]lab.Step, error) {
	server := e.names(f)
	cluster, err := e.named(f, server.at, to)
	if err != nil {
		return nil, err
	}
	answers, err := server.step(to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{answers, step.Sidecar{Sidecar: e.sidecar(map[string]string{"envoy.yaml": e.bootstrap(f, cluster)})}}, nil
}

// names is the server that Envoy asks. It is on the replicas' side of the host,
// at an address that is the run's own.
func (envoy) names(f lab.Facts) names {
	return names{
		sidecar: "envoy-names", at: netip.AddrPortFrom(f.Gateway, envoyNamesPort),
		ttl: "0s", order: orderFixed,
	}
}

// named is the part of a cluster whose replicas are the addresses of a name.
func (envoy) named(f lab.Facts, server netip.AddrPort, to []lab.Replica) (string, error) {
	for _, r := range to {
		if r.Weight != to[0].Weight {
			return "", lab.Usagef("a name gives its addresses no weights: leave the weights or %s=%s out", discovery, discoveryStrictDNS)
		}
	}
	return fmt.Sprintf(`type: STRICT_DNS
dns_lookup_family: %s
dns_refresh_rate: %s
typed_dns_resolver_config:
  name: envoy.network.dns_resolver.cares
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig
    resolvers: [%s]
    dns_resolver_options: {no_default_search_domain: true}
load_assignment:
  cluster_name: replicas
  endpoints: [{lb_endpoints: [{endpoint: {address: %s}}]}]
`, envoyFamilies[f.Family], envoyNamesAgain,
		envoyAddress(server.Addr().String(), server.Port()), envoyAddress(dnsName, to[0].Address.Port())), nil
}

// envoyFamilies are the addresses that a name is asked for.
var envoyFamilies = map[lab.Family]string{lab.IPv4: "V4_ONLY", lab.IPv6: "V6_ONLY"}
