package strategies

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(kubeProxy{}) }

// kubeProxy is the node proxy of Kubernetes itself, with as much of a cluster
// around it as it needs: etcd, an API server, a Service without a selector and
// an EndpointSlice that follows the replicas.
type kubeProxy struct{ settings settings }

func (kubeProxy) Name() string { return "kube-proxy" }

// The options of kube-proxy, and their values.
const (
	modeIptables = "iptables"
	modeNftables = "nftables"
	modeIPVS     = "ipvs"

	trafficPolicy = "traffic-policy"
	policyCluster = "cluster"
	policyLocal   = "local"
)

func (kubeProxy) Options() []lab.Option {
	return []lab.Option{
		{Name: mode, Values: []string{modeIptables, modeNftables, modeIPVS}, Meaning: "what kube-proxy leads connections with (--proxy-mode)"},
		{Name: trafficPolicy, Values: []string{policyCluster, policyLocal}, Meaning: "the Service's externalTrafficPolicy: local keeps the client's address"},
	}
}

func (k kubeProxy) Settings() map[string]string { return k.settings.of(k.Options()) }

func (kubeProxy) With(changed map[string]string) lab.Strategy { return kubeProxy{changed} }

func (k kubeProxy) mode() string { return k.Settings()[mode] }

func (kubeProxy) About() lab.About {
	return lab.About{
		Summary: "the real kube-proxy: a Service of type NodePort, whose EndpointSlice follows the replicas",
		Path: []string{
			"The packet reaches the front, which is the node port of a Service, on the host.",
			"kube-proxy's own rules pick an endpoint at random and rewrite the destination: chains of iptables with the statistic match, a map of nftables with numgen, or a virtual server of IPVS.",
			"With traffic-policy=cluster, the default, the source is rewritten to the host's too, so that the answer comes back by it wherever the endpoint is.",
			"Conntrack remembers the choice for the connection.",
		},
		Caveats: []string{
			"The replica sees the host's address, unless with traffic-policy=local, which Kubernetes recommends where the client's address matters.",
			"The choice is made once for each connection: requests on a connection that is kept alive all go to one replica.",
			"An endpoint that is gone is left out once the EndpointSlice says so and kube-proxy has seen it, within a second or so.",
			"With traffic-policy=local a replica cannot call the front: its neighbour on the bridge would answer directly. In a cluster the pods' network sees to that.",
			"In mode nftables node ports are not served on 127.0.0.1; in mode iptables they are, by route_localnet (--iptables-localhost-nodeports).",
			"It takes etcd, an API server and kube-proxy to start: some seconds, and some 300 MB of memory. This is the cost of a cluster's control plane, not of its path.",
			"The API server runs with AlwaysAllow, a token that everybody knows and a certificate that nobody checks, at the loopback address of a host of the run's own: do not copy that.",
		},
		OverUDP: []string{
			"A connection is what conntrack takes for one; kube-proxy deletes the entries of an endpoint that has gone.",
		},
		Sources: []string{
			"https://kubernetes.io/docs/reference/networking/virtual-ips/ (proxy modes, traffic policies)",
			"https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
			"https://kubernetes.io/docs/concepts/services-networking/service/#services-without-selectors",
			"https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/",
		},
	}
}

// Needs asks for a host of the run's own: kube-proxy's chains and sysctls carry
// no run's name, and there can be one of it on a host.
func (k kubeProxy) Needs() lab.Needs {
	const remedy = "make tools builds it"
	n := lab.Needs{
		Placement: lab.OwnNetns, OwnHost: true, Root: true, Null: lab.Random,
		Probes: []lab.Probe{
			program(lab.Sidecar{Program: "etcd", OnHost: true}, remedy),
			program(lab.Sidecar{Program: "kube-apiserver", OnHost: true}, remedy),
			program(lab.Sidecar{Program: "kube-proxy", OnHost: true}, remedy),
		},
		NotFromIPv6: notFromLoopbackIPv6(),
	}
	n.NotFrom = map[lab.Vantage]string{}
	if k.Settings()[trafficPolicy] == policyLocal {
		n.NotFrom[lab.Peer] = "without a masquerade a replica answers its neighbour on the bridge directly, which does not know it"
	}
	switch k.mode() {
	case modeIptables:
		n.Probes = append(n.Probes, iptables())
	case modeNftables:
		n.Probes = append(n.Probes, program(lab.Sidecar{Program: "nft", OnHost: true}, "apt-get install nftables"))
		n.NotFrom[lab.Localhost] = "in mode nftables kube-proxy serves no node port on 127.0.0.1"
	case modeIPVS:
		n.Null = lab.RoundRobin // IPVS's scheduler rr, unless kube-proxy is told another
		n.Probes = append(n.Probes, virtualServers(), program(lab.Sidecar{Program: "ipset", OnHost: true}, "apt-get install ipset"))
		n.NotFrom[lab.Localhost] = "IPVS does not serve connections to 127.0.0.1"
	}
	return n
}

const (
	kubeNode  = "portlab"                            // name of the one node
	kubeToken = "everybody-on-this-host-may-know-it" //nolint:gosec // it protects nothing
)

func (k kubeProxy) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	objects, err := k.objects(f, front, to)
	if err != nil {
		return nil, err
	}
	key, err := signingKey(f.Run)
	if err != nil {
		return nil, err
	}
	return []lab.Step{
		step.Sidecar{Sidecar: etcd()},
		step.Sidecar{Sidecar: apiServer(f, key)},
		step.Sidecar{Sidecar: lab.Sidecar{
			Name: "objects", Program: "portlab", OnHost: true, Status: true,
			Args:         []string{"objects", "--config", lab.SidecarDir + "/objects.json"},
			Files:        map[string]string{"objects.json": objects},
			ReloadSignal: syscall.SIGHUP,
		}},
		step.Sidecar{Sidecar: k.nodeProxy(f)},
	}, nil
}

const etcdAddress = "http://127.0.0.1:2379"

func etcd() lab.Sidecar {
	return lab.Sidecar{
		Name: "etcd", Program: "etcd", VersionFlag: "--version", OnHost: true,
		Args: []string{
			"--data-dir", lab.SidecarDir, "--log-level", "error",
			"--listen-client-urls", etcdAddress, "--advertise-client-urls", etcdAddress,
			"--listen-peer-urls", "http://127.0.0.1:2380",
		},
	}
}

// loopbackOf is the loopback address of a family.
func loopbackOf(ip lab.Family) netip.Addr {
	if ip == lab.IPv6 {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// apiAddress is where the API server listens: on the loopback address of the
// front's IP version, which must be that of the Services.
func apiAddress(ip lab.Family) netip.AddrPort { return netip.AddrPortFrom(loopbackOf(ip), 6443) }

// clusterIPs are for the Services' own addresses, which nobody dials here.
var clusterIPs = map[lab.Family]string{lab.IPv4: "198.19.255.0/24", lab.IPv6: "2001:2:0:ff::/112"}

func apiServer(f lab.Facts, key string) lab.Sidecar {
	at := apiAddress(f.Family)
	return lab.Sidecar{
		Name: "kube-apiserver", Program: "kube-apiserver", VersionFlag: "--version", OnHost: true,
		Args: []string{
			"--etcd-servers=" + etcdAddress,
			"--bind-address=" + at.Addr().String(), fmt.Sprintf("--secure-port=%d", at.Port()),
			"--advertise-address=" + f.Gateway.String(), "--cert-dir=" + lab.SidecarDir,
			"--service-cluster-ip-range=" + clusterIPs[f.Family],
			"--service-node-port-range=1-65535", // the front's port must be one
			"--service-account-issuer=https://portlab.invalid",
			"--service-account-key-file=" + lab.SidecarDir + "/service-account.pem",
			"--service-account-signing-key-file=" + lab.SidecarDir + "/service-account.pem",
			"--token-auth-file=" + lab.SidecarDir + "/tokens.csv",
			"--authorization-mode=AlwaysAllow", "--disable-admission-plugins=ServiceAccount",
		},
		Files: map[string]string{
			"service-account.pem": key,
			"tokens.csv":          kubeToken + `,portlab,1,"system:masters"` + "\n",
		},
	}
}

func (k kubeProxy) nodeProxy(f lab.Facts) lab.Sidecar {
	s := lab.Sidecar{
		Name: "kube-proxy", Program: "kube-proxy", VersionFlag: "--version", OnHost: true,
		Args: []string{
			"--kubeconfig=" + lab.SidecarDir + "/kubeconfig", "--proxy-mode=" + k.mode(),
			"--hostname-override=" + kubeNode, "--cluster-cidr=" + f.Subnet.String(),
			// Rules follow an EndpointSlice at once.
			"--iptables-min-sync-period=0s", "--ipvs-min-sync-period=0s",
			// A namespace of one's own may not set what holds for the whole machine.
			"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s",
			"--metrics-bind-address=127.0.0.1:10249", "--healthz-bind-address=127.0.0.1:10256",
		},
		Files: map[string]string{"kubeconfig": kubeconfig(f.Family)},
	}
	s.AfterStop = append([]string{"--cleanup"}, s.Args[:4]...)
	return s
}

func kubeconfig(ip lab.Family) string {
	return strings.NewReplacer("SERVER", "https://"+apiAddress(ip).String(), "TOKEN", kubeToken).Replace(`apiVersion: v1
kind: Config
clusters:
  - {name: portlab, cluster: {server: "SERVER", insecure-skip-tls-verify: true}}
users:
  - {name: portlab, user: {token: "TOKEN"}}
contexts:
  - {name: portlab, context: {cluster: portlab, user: portlab}}
current-context: portlab
`)
}

// Trails covers the way of a change from the EndpointSlice over the API server's
// watch to the rules.
func (kubeProxy) Trails() time.Duration { return 2 * time.Second }
