package strategies

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(traefik{}) }

// traefik is the proxy of that name, whose replicas come from a file or from
// the labels of containers.
type traefik struct{ settings settings }

func (traefik) Name() string { return "traefik" }

func (traefik) Options() []lab.Option {
	return []lab.Option{
		{Name: mode, Values: []string{modeHTTP, modeTCP}, Meaning: "http reads requests; tcp copies the bytes of connections, in turn"},
		methodOption(lab.MethodTurn, lab.MethodLeastConn, lab.MethodHash),
		{Name: checks, Values: []string{on, off}, Meaning: "whether each replica is asked every second if it is well, with mode=http"},
		{Name: provider, Values: []string{providerFile, providerDocker}, Meaning: "how it learns of replicas; file: from one that it watches, docker: from the labels of containers, by the engine's events"},
	}
}

func (x traefik) Settings() map[string]string { return x.settings.of(x.Options()) }

func (traefik) With(changed map[string]string) lab.Strategy { return traefik{changed} }

func (x traefik) tcp() bool { return x.Settings()[mode] == modeTCP }

func (x traefik) About() lab.About {
	a := lab.About{
		Summary: "Traefik as a reverse proxy, whose replicas come from " + x.source(),
		Path: []string{
			"The front leads to Traefik, which accepts the connection and reads the request.",
			"It picks a replica among those that are well, and sends the request over a connection to it that may have been used before.",
			"It copies the answer back.",
		},
		Caveats: []string{
			"The replica sees Traefik's address; the client's is in the X-Forwarded-For header.",
			turnIsOfRequests, webSocketIsOne,
			"A request that a replica did not answer is tried again at another one, three times in all (middleware retry).",
		},
		Sources: []string{
			"https://doc.traefik.io/traefik/v3.7/reference/routing-configuration/http/load-balancing/service (strategy, weight, healthCheck)",
			"https://doc.traefik.io/traefik/reference/install-configuration/providers/others/file/",
		},
	}
	if x.tcp() {
		a.Summary = "Traefik as a proxy of layer 4, whose replicas come from " + x.source()
		a.Path = []string{
			"The front leads to Traefik, which accepts the connection.",
			"It takes the replica whose turn it is, connects to it, and copies bytes both ways.",
		}
		a.Caveats = []string{
			"The replica sees Traefik's address; the client's is lost, unless the PROXY protocol is switched on and the replica reads it.",
			"A connection stays with the replica that it was given, however many requests it carries.",
		}
	}
	if x.labels() {
		a.Caveats = append(a.Caveats, labelsFollow, "Labels are the same on all replicas here: weights take the file.")
		a.Sources = append(a.Sources, "https://doc.traefik.io/traefik/reference/install-configuration/providers/docker/")
	} else {
		a.Caveats = append(a.Caveats,
			"With provider=docker it follows containers by itself, but only once they are gone: a file can take a replica out before it ends.",
			"Weights must be whole numbers, and only turns of mode http follow them.")
	}
	a.Caveats = append(a.Caveats,
		"With method=leastconn it takes the less busy of two replicas drawn at random (p2c); it has no plain random choice.",
		hashIsOfAddress,
	)
	return a
}

func (x traefik) Needs() lab.Needs {
	n := lab.Needs{
		Placement: lab.OwnNetns, Null: nullOfMethod[x.Settings()[lab.Method]],
		Probes: []lab.Probe{program(x.sidecar(), "make tools builds it, which takes some minutes")},
		NotFor: notForLayer4(),
	}
	if x.labels() {
		n.Labels = x.replicaLabels()
	}
	if x.tcp() {
		n.NotFor = map[lab.Protocol]string{lab.UDP: "its routers of UDP are others, which are not configured here"}
	}
	return n
}

// Weighted marks that the turns follow the weights.
func (traefik) Weighted() {}

// Workers is one: a single process keeps the turn.
func (traefik) Workers() int { return 1 }

// Trails covers the way from the file by inotify(7) and the throttle of 100 ms to
// the routers. With labels there is nothing to wait for: what it follows is the
// end of the container itself.
func (x traefik) Trails() time.Duration {
	if x.labels() {
		return 0
	}
	return 500 * time.Millisecond
}

func (x traefik) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	conf, err := x.conf(to)
	if err != nil {
		return nil, err
	}
	s := x.sidecar()
	if x.labels() {
		if err := equalWeights(to); err != nil {
			return nil, err
		}
		s = x.following(s, f)
	} else {
		s.Args = append(s.Args, "--providers.file.filename="+lab.SidecarDir+"/replicas.yaml", "--providers.file.watch=true")
		s.Files, s.Watches = map[string]string{"replicas.yaml": conf}, true
	}
	for i, a := range f.SidecarListen {
		s.Args = append(s.Args, fmt.Sprintf("--entrypoints.front%d.address=%s", i+1, a))
	}
	return []lab.Step{step.Sidecar{Sidecar: s}}, nil
}

// sidecar is Traefik without what says where its replicas come from.
func (traefik) sidecar() lab.Sidecar {
	return lab.Sidecar{
		Name: "traefik", Program: "traefik",
		Args: []string{
			"--providers.providersThrottleDuration=100ms", "--log.level=ERROR",
			"--global.checknewversion=false", "--global.sendanonymoususage=false",
		},
		VersionFlag: "version", Image: "traefik:v3.7",
	}
}

// traefikStrategies are those of a service.
var traefikStrategies = map[string]string{lab.MethodTurn: "wrr", lab.MethodLeastConn: "p2c", lab.MethodHash: "hrw"}

// conf is the dynamic configuration.
func (x traefik) conf(to []lab.Replica) (string, error) {
	set := x.Settings()
	if x.tcp() && set[lab.Method] != lab.MethodTurn {
		return "", lab.Usagef("traefik takes turns and nothing else with mode=%s: leave method=%s out", modeTCP, set[lab.Method])
	}
	var b strings.Builder
	if x.tcp() {
		b.WriteString("tcp:\n  routers:\n    front: {rule: HostSNI(`*`), service: replicas}\n  services:\n    replicas:\n      loadBalancer:\n        servers:\n")
	} else {
		b.WriteString("http:\n  routers:\n    front: {rule: PathPrefix(`/`), service: replicas, middlewares: [again]}\n" +
			"  middlewares:\n    again: {retry: {attempts: 3, initialInterval: 50ms}}\n" +
			"  services:\n    replicas:\n      loadBalancer:\n        strategy: " + traefikStrategies[set[lab.Method]] + "\n")
		if set[checks] == on {
			b.WriteString("        healthCheck: {path: /, interval: 1s, timeout: 1s}\n")
		}
		b.WriteString("        servers:\n")
	}
	for _, r := range to {
		weight, err := wholeWeight("traefik", r, math.MaxInt32)
		if err != nil {
			return "", err
		}
		switch {
		case weight != int(to[0].Weight) && (x.tcp() || set[lab.Method] != lab.MethodTurn):
			return "", lab.Usagef("traefik follows weights with mode=%s and method=%s alone: leave them out", modeHTTP, lab.MethodTurn)
		case x.tcp():
			fmt.Fprintf(&b, "        - address: %q\n", r.Address)
		default:
			fmt.Fprintf(&b, "        - {url: \"http://%s\", weight: %d}\n", r.Address, weight)
		}
	}
	return b.String(), nil
}
