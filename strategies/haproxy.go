package strategies

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(haproxy{}) }

// haproxy is the load balancer of that name, with the retries and checks that
// its documentation tells people to add to the defaults.
type haproxy struct{ settings settings }

// The option of haproxy that says what becomes of a failed try, and its values.
const (
	retries         = "retries"
	retriesSane     = "sane"
	retriesDefaults = "defaults"
)

// modeTCP is the mode in which a proxy reads no requests.
const modeTCP = "tcp"

func (haproxy) Name() string { return "haproxy" }

func (haproxy) Options() []lab.Option {
	return []lab.Option{
		{Name: mode, Values: []string{modeHTTP, modeTCP}, Meaning: "http reads requests; tcp copies the bytes of connections"},
		methodOption(allMethods...),
		{Name: checks, Values: []string{on, off}, Meaning: "whether each replica is asked twice a second if it is well"},
		{Name: retries, Values: []string{retriesSane, retriesDefaults}, Meaning: "sane tries another replica at once; defaults tries the same one again for three seconds, and loses requests"},
	}
}

func (x haproxy) Settings() map[string]string { return x.settings.of(x.Options()) }

func (haproxy) With(changed map[string]string) lab.Strategy { return haproxy{changed} }

func (x haproxy) tcp() bool { return x.Settings()[mode] == modeTCP }

func (x haproxy) About() lab.About {
	a := lab.About{
		Summary: "HAProxy as a reverse proxy, with health checks and retries at another replica",
		Path: []string{
			"The front leads to HAProxy, one of whose two threads accepts the connection and reads the request.",
			"The thread picks a replica among those that passed their last checks, and connects to it.",
			"It sends the request over that connection and copies the answer back; both connections may be used again.",
		},
		Caveats: []string{
			"The replica sees HAProxy's address; the client's is in the X-Forwarded-For header (option forwardfor).",
			turnIsOfRequests, webSocketIsOne,
			"Replicas are asked by HTTP/1.1, also where clients speak HTTP/2.",
		},
		Sources: []string{
			"https://docs.haproxy.org/2.6/configuration.html (balance, retries, retry-on, option redispatch, option httpchk, maxconn)",
			"https://docs.haproxy.org/2.6/management.html (master-worker mode; reload by SIGUSR2)",
		},
	}
	if x.tcp() {
		a.Summary = "HAProxy as a proxy of layer 4, with health checks and retries at another replica"
		a.Path = []string{
			"The front leads to HAProxy, one of whose two threads accepts the connection.",
			"The thread picks a replica among those that passed their last checks, connects to it, and copies bytes both ways.",
		}
		a.Caveats = []string{
			"The replica sees HAProxy's address; the client's is lost, unless send-proxy is switched on and the replica reads it.",
			"A connection stays with the replica that it was given, however many requests it carries.",
		}
	}
	a.Caveats = append(a.Caveats,
		"Checks are connections of their own to each replica; a replica that hangs is found by those of mode http alone.",
		"With retries=defaults a failed connection is tried three times more at the same replica, a second apart: most clients have gone by then.",
		"It does not start where the limit of open files is lower than twice maxconn and some more: it is set, to 4096.",
		"A reload starts a new worker, which takes the listening sockets over; the old one ends when its last connection does.",
		"To pick at random it draws one replica (random(1)); its own default draws two and takes the less busy.",
		hashIsOfAddress, "The hash is consistent: a replica more or fewer moves few clients, and shares are only roughly even.",
		"To pick at random goes by the same ring as the hash: weights of 1 would give a replica 16 points on it, and shares such as 60/40; they are multiplied up to 256.",
		"Weights must be whole numbers up to 256.",
	)
	return a
}

func (x haproxy) Needs() lab.Needs {
	n := lab.Needs{
		Placement: lab.OwnNetns, Null: nullOfMethod[x.Settings()[lab.Method]],
		Probes: []lab.Probe{program(x.sidecar(""), "make tools installs it")},
		NotFor: notForLayer4(),
	}
	if x.tcp() {
		n.NotFor = map[lab.Protocol]string{lab.UDP: "HAProxy carries TCP only"}
	}
	return n
}

// Weighted marks that the turns follow the weights.
func (haproxy) Weighted() {}

// Workers is one: the threads share the turn.
func (haproxy) Workers() int { return 1 }

// Trails covers the time from the signal to a new worker, which reads the file
// and takes the sockets over from the old one.
func (haproxy) Trails() time.Duration { return 500 * time.Millisecond }

func (x haproxy) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	conf, err := x.conf(f, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{step.Sidecar{Sidecar: x.sidecar(conf)}}, nil
}

func (haproxy) sidecar(conf string) lab.Sidecar {
	return lab.Sidecar{
		Name: "haproxy", Program: "haproxy",
		// -W: a master starts the workers, and new ones at SIGUSR2. -db: it stays
		// in the foreground.
		Args:         []string{"-W", "-db", "-f", lab.SidecarDir + "/haproxy.cfg"},
		Files:        map[string]string{"haproxy.cfg": conf},
		ReloadSignal: syscall.SIGUSR2,
		Image:        "haproxy:lts",
	}
}

const haproxyHead = `global
    maxconn 4096
    nbthread 2

defaults
    mode %s
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    timeout tunnel 1h
`

// haproxyMethods are the algorithms of haproxy's balance.
var haproxyMethods = map[string]string{
	lab.MethodTurn: "roundrobin", lab.MethodRandom: "random(1)", lab.MethodLeastConn: "leastconn", lab.MethodHash: "source",
}

// haproxyWeight is the greatest weight of a server.
const haproxyWeight = 256

func (x haproxy) conf(f lab.Facts, to []lab.Replica) (string, error) {
	set := x.Settings()
	var b strings.Builder
	fmt.Fprintf(&b, haproxyHead, set[mode])
	if !x.tcp() {
		b.WriteString("    option forwardfor\n")
	}
	b.WriteString("\nfrontend front\n")
	for _, a := range f.SidecarListen {
		fmt.Fprintf(&b, "    bind %s%s\n", a, x.speaks(f.Protocol))
	}
	fmt.Fprintf(&b, "    default_backend replicas\n\nbackend replicas\n    balance %s\n", haproxyMethods[set[lab.Method]])
	if set[lab.Method] == lab.MethodHash {
		b.WriteString("    hash-type consistent\n")
	}
	if set[retries] == retriesSane {
		b.WriteString(x.retries())
	}
	check := ""
	if set[checks] == on {
		check = " check inter 500ms fall 2 rise 1"
		if !x.tcp() {
			b.WriteString("    option httpchk GET /\n    # Any answer will do that does not say that the server has failed.\n    http-check expect rstatus ^[1-4]\n")
		}
	}
	weights, err := x.weights(to)
	if err != nil {
		return "", err
	}
	for i, r := range to {
		fmt.Fprintf(&b, "    server %s %s weight %d%s\n", r.Instance, r.Address, weights[i], check)
	}
	return b.String(), nil
}

// weights are those of the replicas. What goes by HAProxy's hash ring, as random
// choice does too, needs large ones: a server has 16 points on it for each, and
// a few points make shares uneven (configuration.txt: hash-type consistent).
func (x haproxy) weights(to []lab.Replica) ([]int, error) {
	var all []int
	for _, r := range to {
		weight, err := wholeWeight("haproxy", r, haproxyWeight)
		if err != nil {
			return nil, err
		}
		all = append(all, weight)
	}
	if m := x.Settings()[lab.Method]; m == lab.MethodRandom || m == lab.MethodHash {
		factor := haproxyWeight / slices.Max(all)
		for i := range all {
			all[i] *= factor
		}
	}
	return all, nil
}

// retries are the lines that have a failed try made at another replica.
func (x haproxy) retries() string {
	const redispatch = "    retries 3\n    option redispatch 1\n"
	if x.tcp() {
		return redispatch
	}
	return redispatch + `    # A request that may have been carried out is tried again only where that does no harm.
    retry-on conn-failure empty-response
    http-request disable-l7-retry unless METH_GET
`
}

// speaks is the parameter by which a socket speaks HTTP/2 and nothing else.
func (x haproxy) speaks(p lab.Protocol) string {
	if p == lab.HTTP2 && !x.tcp() {
		return " proto h2"
	}
	return ""
}
