package strategies

import (
	"encoding/json"
	"fmt"
	"math"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(caddy{}) }

// caddy is the web server of that name as a reverse proxy, without TLS.
type caddy struct{ settings settings }

// caddyReload is what a change of the replicas costs.
const caddyReload = "A reload ends the old server at once: connections that wait to be accepted, or whose request it has not read yet, are lost; of some hundred under load one to eight were."

func (caddy) Name() string { return "caddy" }

func (caddy) Options() []lab.Option {
	return []lab.Option{
		methodOption(allMethods...),
		{Name: checks, Values: []string{on, off}, Meaning: "whether each replica is asked twice a second if it is well, and one that failed is left alone for 10 seconds"},
	}
}

func (c caddy) Settings() map[string]string { return c.settings.of(c.Options()) }

func (caddy) With(changed map[string]string) lab.Strategy { return caddy{changed} }

func (caddy) About() lab.About {
	return lab.About{
		Summary: "Caddy as a reverse proxy, without TLS",
		Path: []string{
			"The front leads to Caddy, which accepts the connection and reads the request.",
			"It picks a replica among those that are well, and sends the request over a connection to it that may have been used before.",
			"It copies the answer back.",
		},
		Caveats: []string{
			"The replica sees Caddy's address; the client's is in the X-Forwarded-For header.",
			turnIsOfRequests, webSocketIsOne,
			"A replica that cannot be dialled is passed over for a second (lb_try_duration); by Caddy's default the client would get status 502 at once.",
			"The configuration is read again at SIGUSR1, which Caddy knows since 2.11.",
			caddyReload,
			hashIsOfAddress,
			"Weights must be whole numbers, and only turns follow them.",
		},
		Sources: []string{
			"https://caddyserver.com/docs/caddyfile/directives/reverse_proxy (lb_policy, lb_try_duration, active and passive health checks)",
			"https://caddyserver.com/docs/json/apps/http/servers/routes/handle/reverse_proxy/",
			"https://caddyserver.com/docs/command-line#signals",
		},
	}
}

func (c caddy) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Null: nullOfMethod[c.Settings()[lab.Method]],
		Probes: []lab.Probe{program(c.sidecar(""), "make tools builds it")}, NotFor: notForLayer4(),
	}
}

// Weighted marks that the turns follow the weights.
func (caddy) Weighted() {}

// Workers is one: a single process keeps the turn.
func (caddy) Workers() int { return 1 }

// Trails covers the time from the signal to the new server, which is made whole
// before the old one ends.
func (caddy) Trails() time.Duration { return 500 * time.Millisecond }

func (c caddy) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	proxy, err := c.reverseProxy(to)
	if err != nil {
		return nil, err
	}
	var listen []string
	for _, a := range f.SidecarListen {
		listen = append(listen, a.String())
	}
	text, err := json.MarshalIndent(object{
		"admin":   object{"disabled": true},
		"logging": object{"logs": object{"default": object{"level": "WARN"}}},
		// Else it would write to the home folder.
		"storage": object{"module": "file_system", "root": lab.SidecarDir + "/data"},
		"apps": object{"http": object{"servers": object{"front": object{
			"listen": listen, "protocols": []string{"h1", "h2c"}, "automatic_https": object{"disable": true},
			"routes": []object{{"handle": []object{proxy}}},
		}}}},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("caddy's configuration: %w", err)
	}
	return []lab.Step{step.Sidecar{Sidecar: c.sidecar(string(text) + "\n")}}, nil
}

func (caddy) sidecar(conf string) lab.Sidecar {
	return lab.Sidecar{
		Name: "caddy", Program: "caddy", Args: []string{"run", "--config", lab.SidecarDir + "/caddy.json"},
		Files: map[string]string{"caddy.json": conf}, ReloadSignal: syscall.SIGUSR1,
		VersionFlag: "version", Image: "caddy:2",
	}
}

// caddyPolicies are the selection policies; the hash is the rendezvous one.
var caddyPolicies = map[string]string{
	lab.MethodTurn: "round_robin", lab.MethodRandom: "random", lab.MethodLeastConn: "least_conn", lab.MethodHash: "client_ip_hash",
}

// reverseProxy is the handler of that name.
func (c caddy) reverseProxy(to []lab.Replica) (object, error) {
	set := c.Settings()
	policy := object{"policy": caddyPolicies[set[lab.Method]]}
	var upstreams []object
	var weights []int
	equal := true
	for _, r := range to {
		weight, err := wholeWeight("caddy", r, math.MaxInt32)
		if err != nil {
			return nil, err
		}
		weights = append(weights, weight)
		equal = equal && weight == weights[0]
		upstreams = append(upstreams, object{"dial": r.Address.String()})
	}
	switch {
	case !equal && set[lab.Method] != lab.MethodTurn:
		return nil, lab.Usagef("caddy follows weights with method=%s alone: leave them out", lab.MethodTurn)
	case !equal:
		policy = object{"policy": "weighted_round_robin", "weights": weights}
	}
	handler := object{
		"handler": "reverse_proxy", "upstreams": upstreams,
		"load_balancing": object{"selection_policy": policy, "try_duration": "1s", "try_interval": "50ms"},
	}
	if set[checks] == on {
		handler["health_checks"] = object{
			"active":  object{"uri": "/", "interval": "500ms", "timeout": "1s", "fails": 2},
			"passive": object{"fail_duration": "10s"},
		}
	}
	return handler, nil
}
