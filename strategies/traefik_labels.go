package strategies

import (
	"fmt"
	"strings"

	"github.com/portlab/portlab/lab"
)

// The option of traefik that says how it learns of replicas, and its values.
const (
	provider       = "provider"
	providerFile   = "file"
	providerDocker = "docker"
)

// labelsFollow is what it takes to know of who follows containers.
const labelsFollow = "It follows the engine's events, and takes a replica out when its container has ended: what a replica refuses while it drains is lost, unless another try finds a better one."

func (x traefik) labels() bool { return x.Settings()[provider] == providerDocker }

// source is where the replicas come from, in words.
func (x traefik) source() string {
	if x.labels() {
		return "the labels of their containers"
	}
	return "a file that it watches"
}

// replicaLabels are what each container carries, in the place of the file.
func (x traefik) replicaLabels() map[string]string {
	set := x.Settings()
	if x.tcp() {
		return map[string]string{
			"traefik.enable":                                         "true",
			"traefik.tcp.routers.front.rule":                         "HostSNI(`*`)",
			"traefik.tcp.services.replicas.loadbalancer.server.port": lab.ReplicaPort,
		}
	}
	const balancer = "traefik.http.services.replicas.loadbalancer."
	all := map[string]string{
		"traefik.enable":                                       "true",
		"traefik.http.routers.front.rule":                      "PathPrefix(`/`)",
		"traefik.http.routers.front.middlewares":               "again",
		"traefik.http.middlewares.again.retry.attempts":        "3",
		"traefik.http.middlewares.again.retry.initialinterval": "50ms",
		balancer + "server.port":                               lab.ReplicaPort,
		balancer + "strategy":                                  traefikStrategies[set[lab.Method]],
	}
	if set[checks] == on {
		all[balancer+"healthcheck.path"] = "/"
		all[balancer+"healthcheck.interval"] = "1s"
		all[balancer+"healthcheck.timeout"] = "1s"
	}
	return all
}

// following has Traefik follow the containers of the run and no others.
func (traefik) following(s lab.Sidecar, f lab.Facts) lab.Sidecar {
	s.Args = append(s.Args,
		"--providers.docker.endpoint="+f.Engine, "--providers.docker.exposedbydefault=false",
		fmt.Sprintf("--providers.docker.constraints=Label(`%s`, `%s`)", lab.LabelRun, f.Run),
	)
	s.Shares = socketOf(f)
	return s
}

// socketOf is the file of the engine's socket.
func socketOf(f lab.Facts) []string { return []string{strings.TrimPrefix(f.Engine, "unix://")} }

// equalWeights refuses weights where all replicas carry the same labels.
func equalWeights(to []lab.Replica) error {
	for _, r := range to {
		if r.Weight != to[0].Weight {
			return lab.Usagef("all replicas carry the same labels, so that none has a weight of its own: leave the weights out")
		}
	}
	return nil
}
