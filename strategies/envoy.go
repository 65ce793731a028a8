package strategies

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(envoy{}) }

// envoy is the proxy of that name, whose replicas come from a file that it
// watches, or are the addresses of a name.
type envoy struct{ settings settings }

// The option of envoy that says how it learns of replicas, and its values.
const (
	discovery          = "discovery"
	discoveryEDS       = "eds"
	discoveryStrictDNS = "strict-dns"
)

func (envoy) Name() string { return "envoy" }

func (envoy) Options() []lab.Option {
	return []lab.Option{
		{Name: mode, Values: []string{modeHTTP, modeTCP}, Meaning: "http reads requests; tcp copies the bytes of connections"},
		methodOption(allMethods...),
		{Name: checks, Values: []string{on, off}, Meaning: "whether each replica is asked twice a second if it is well"},
		{Name: discovery, Values: []string{discoveryEDS, discoveryStrictDNS}, Meaning: "eds reads the replicas from a file of endpoints; strict-dns asks a name server for a name, five times a second"},
	}
}

func (e envoy) Settings() map[string]string { return e.settings.of(e.Options()) }

func (envoy) With(changed map[string]string) lab.Strategy { return envoy{changed} }

func (e envoy) has(option, value string) bool { return e.Settings()[option] == value }

func (e envoy) About() lab.About {
	a := lab.About{
		Summary: "Envoy as a reverse proxy, whose replicas come from " + e.source(),
		Path: []string{
			"The front leads to Envoy, one of whose two workers accepts the connection and reads the request.",
			"The worker picks a replica among those that are well, and sends the request over a connection to it that may have been used before.",
			"It copies the answer back.",
		},
		Caveats: []string{
			"The replica sees Envoy's address; the client's is in the X-Forwarded-For header (use_remote_address).",
			turnIsOfRequests, webSocketIsOne,
			"A request that could not be sent is tried again, twice at most, at another replica (retry_on: connect-failure,refused-stream,reset-before-request). By default no more than three are tried again at a time, and the rest get status 503: max_retries is raised.",
			"Replicas are asked by HTTP/1.1, also where clients speak HTTP/2.",
		},
		Sources: []string{
			"https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/service_discovery (strict DNS, EDS)",
			"https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/load_balancers",
			"https://www.envoyproxy.io/docs/envoy/latest/start/quick-start/configuration-dynamic-filesystem",
		},
	}
	if e.has(mode, modeTCP) {
		a.Summary = "Envoy as a proxy of layer 4, whose replicas come from " + e.source()
		a.Path = []string{
			"The front leads to Envoy, one of whose two workers accepts the connection.",
			"The worker picks a replica among those that are well, connects to it, and copies bytes both ways.",
		}
		a.Caveats = []string{
			"The replica sees Envoy's address; the client's is lost.",
			"A connection stays with the replica that it was given, however many requests it carries.",
			"A replica that cannot be reached is passed over only by taking another turn, five at most (max_connect_attempts): it may be the same one's each time.",
		}
	}
	a.Caveats = append(a.Caveats,
		"Each worker keeps a turn of its own, so that counts may be as far apart as there are workers.",
		"With method=leastconn it takes the less busy of two replicas drawn at random (LEAST_REQUEST).",
		hashIsOfAddress, "The hash goes by a ring of 1,024 points or more: a replica more or fewer moves few clients, and shares are only roughly even.",
	)
	a.Caveats = append(a.Caveats, e.sourceCaveats()...)
	return a
}

func (e envoy) Needs() lab.Needs {
	n := lab.Needs{
		Placement: lab.OwnNetns, Null: nullOfMethod[e.Settings()[lab.Method]],
		Probes: []lab.Probe{program(e.sidecar(nil), "make tools installs it")}, NotFor: notForLayer4(),
	}
	if e.has(mode, modeTCP) {
		n.NotFor = map[lab.Protocol]string{lab.UDP: "its proxy of UDP is another filter, with sessions, which is not configured here"}
	}
	return n
}

// Weighted marks that the turns follow the weights.
func (envoy) Weighted() {}

// Workers is two, each with a turn of its own.
func (envoy) Workers() int { return 2 }

// Trails covers the way from the file by inotify(7) to the workers; with a name,
// the time until it is asked for again.
func (envoy) Trails() time.Duration { return time.Second }

func (e envoy) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	if e.byName() {
		return e.stepsByName(f, to)
	}
	endpoints, err := e.endpoints(to)
	if err != nil {
		return nil, err
	}
	cluster := "type: EDS\neds_cluster_config:\n  eds_config:\n" + indent(4, envoyWatched("eds.yaml"))
	return []lab.Step{step.Sidecar{Sidecar: e.sidecar(map[string]string{
		"envoy.yaml": e.bootstrap(f, cluster),
		"eds.yaml":   "resources:\n- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n" + indent(2, endpoints),
	})}}, nil
}

func (envoy) sidecar(files map[string]string) lab.Sidecar {
	return lab.Sidecar{
		Name: "envoy", Program: "envoy",
		// Hot restart would share memory with every other Envoy of the machine.
		Args: []string{
			"-c", lab.SidecarDir + "/envoy.yaml", "--concurrency", "2", "--disable-hot-restart", "--log-level", "error",
		},
		Files: files, Watches: true, VersionFlag: "--version", Image: "envoyproxy/envoy:v1.36-latest",
	}
}

// endpoints are the replicas, as a ClusterLoadAssignment.
func (e envoy) endpoints(to []lab.Replica) (string, error) {
	var b strings.Builder
	b.WriteString("cluster_name: replicas\nendpoints:\n- lb_endpoints:\n")
	for _, r := range to {
		weight, err := wholeWeight("envoy", r, math.MaxInt32)
		if err != nil {
			return "", err
		}
		if weight != int(to[0].Weight) && e.has(lab.Method, lab.MethodRandom) {
			return "", lab.Usagef("envoy does not follow weights with method=%s: leave them out", lab.MethodRandom)
		}
		fmt.Fprintf(&b, "  - endpoint: {address: %s}\n    load_balancing_weight: %d\n", envoyAddress(r.Address.Addr().String(), r.Address.Port()), weight)
	}
	return b.String(), nil
}

func envoyAddress(host string, port uint16) string {
	return fmt.Sprintf("{socket_address: {address: %q, port_value: %d}}", host, port)
}

// envoyPolicies are the load balancing policies.
var envoyPolicies = map[string]string{
	lab.MethodTurn: "ROUND_ROBIN", lab.MethodRandom: "RANDOM", lab.MethodLeastConn: "LEAST_REQUEST", lab.MethodHash: "RING_HASH",
}

// cluster is the part of the cluster that does not depend on the discovery.
func (e envoy) cluster() string {
	text := "name: replicas\nconnect_timeout: 1s\nlb_policy: " + envoyPolicies[e.Settings()[lab.Method]] + `
# By default no more than three requests are tried again at a time.
circuit_breakers: {thresholds: [{max_retries: 1024}]}
`
	if e.has(checks, off) {
		return text
	}
	kind := "http_health_check: {path: /}"
	if e.has(mode, modeTCP) {
		kind = "tcp_health_check: {}"
	}
	return text + `# Else a replica that is taken away would stay until it fails a check.
ignore_health_on_host_removal: true
health_checks:
- timeout: 1s
  interval: 0.5s
  no_traffic_interval: 0.5s
  unhealthy_threshold: 2
  healthy_threshold: 1
  ` + kind + "\n"
}

// bootstrap is what Envoy starts with; discovery is the part of the cluster
// that says how it learns of replicas.
func (e envoy) bootstrap(f lab.Facts, discovery string) string {
	var b strings.Builder
	b.WriteString("node: {id: portlab, cluster: portlab}\nstatic_resources:\n  listeners:\n")
	for i, a := range f.SidecarListen {
		fmt.Fprintf(&b, "  - name: front-%d\n    address: %s\n    filter_chains:\n    - filters:\n", i+1, envoyAddress(a.Addr().String(), a.Port()))
		b.WriteString(indent(6, e.filter()))
	}
	b.WriteString("  clusters:\n  -" + indent(4, e.cluster()+discovery)[3:])
	return b.String()
}

// envoyWatched is the source of a configuration in a file that is replaced by a
// move.
func envoyWatched(name string) string {
	return "resource_api_version: V3\npath_config_source:\n  path: " + lab.SidecarDir + "/" + name +
		"\n  watched_directory: {path: " + lab.SidecarDir + "}\n"
}

// filter is what becomes of a connection.
func (e envoy) filter() string {
	hash := ""
	if e.has(mode, modeTCP) {
		if e.has(lab.Method, lab.MethodHash) {
			hash = "    hash_policy: [{source_ip: {}}]\n"
		}
		return `- name: envoy.filters.network.tcp_proxy
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
    stat_prefix: front
    cluster: replicas
    max_connect_attempts: 5
` + hash
	}
	if e.has(lab.Method, lab.MethodHash) {
		hash = "            hash_policy: [{connection_properties: {source_ip: true}}]\n"
	}
	return `- name: envoy.filters.network.http_connection_manager
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
    stat_prefix: front
    use_remote_address: true
    upgrade_configs: [{upgrade_type: websocket}]
    http_filters:
    - name: envoy.filters.http.router
      typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
    route_config:
      virtual_hosts:
      - name: all
        domains: ["*"]
        routes:
        - match: {prefix: /}
          route:
            cluster: replicas
            timeout: 60s
            retry_policy:
              retry_on: connect-failure,refused-stream,reset-before-request
              num_retries: 2
              host_selection_retry_max_attempts: 5
              retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]
` + hash
}

// indent puts spaces before each line.
func indent(n int, text string) string {
	before := strings.Repeat(" ", n)
	return before + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+before) + "\n"
}
