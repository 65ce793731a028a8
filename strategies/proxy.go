package strategies

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(proxy{}) }

// proxy is the project's own reverse proxy: no program has to be installed.
type proxy struct{}

func (proxy) Name() string { return "proxy" }

func (proxy) About() lab.About {
	return lab.About{
		Summary: "portlab's own HTTP reverse proxy, in turn by smooth weighted round robin",
		Path: []string{
			"The front leads to the proxy, which accepts the connection and reads the request.",
			"It takes the replica whose turn it is, sends the request over a connection of its own, and copies the answer back.",
		},
		Caveats: []string{
			"The replica sees the proxy's address; the client's is in the X-Forwarded-For header.",
			turnIsOfRequests, webSocketIsOne,
			"It speaks HTTP only, and every byte passes through user space.",
			"It is written for clearness, not for speed: measure nginx too before you judge reverse proxies.",
		},
		Sources: []string{
			"https://pkg.go.dev/net/http/httputil#ReverseProxy",
			"nginx 1.3.1, commit \"Upstream: smooth weighted round-robin balancing\" (the turn)",
		},
	}
}

func (proxy) Needs() lab.Needs {
	return lab.Needs{Placement: lab.OwnNetns, Null: lab.RoundRobin, NotFor: notForLayer4()}
}

// Weighted marks that the turns follow the weights.
func (proxy) Weighted() {}

// Workers is one: a single process keeps the turn.
func (proxy) Workers() int { return 1 }

// Trails covers the time from the signal to the file that is read.
func (proxy) Trails() time.Duration { return 200 * time.Millisecond }

// proxyConfig is the file that `portlab proxy --config` reads, and `portlab
// tcp-proxy --config`.
type proxyConfig struct {
	Listen    []netip.AddrPort `json:"listen"`
	Upstreams []proxyUpstream  `json:"upstreams"`
}

type proxyUpstream struct {
	Address netip.AddrPort `json:"address"`
	Weight  float64        `json:"weight"`
}

// proxyConfigOf is the text of that file.
func proxyConfigOf(f lab.Facts, to []lab.Replica) (string, error) {
	if err := canProxy(f, to); err != nil {
		return "", err
	}
	c := proxyConfig{Listen: f.SidecarListen}
	for _, r := range to {
		c.Upstreams = append(c.Upstreams, proxyUpstream{Address: r.Address, Weight: r.Weight})
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return "", fmt.Errorf("the proxy's configuration: %w", err)
	}
	return string(text) + "\n", nil
}

func (proxy) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	text, err := proxyConfigOf(f, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{step.Sidecar{Sidecar: lab.Sidecar{
		Name: "proxy", Program: "portlab",
		Args:         []string{"proxy", "--config", lab.SidecarDir + "/proxy.json"},
		Files:        map[string]string{"proxy.json": text},
		ReloadSignal: syscall.SIGHUP,
	}}}, nil
}

// What the proxies have in common, which read requests and not only packets.
const (
	turnIsOfRequests = "The turn is one for each request: the requests of a connection that is kept alive are spread, and so are the streams of one of HTTP/2."
	hashIsOfAddress  = "With method=hash all connections of a client's address go to one replica: it takes several addresses (--clients) to see a spread."
	webSocketIsOne   = "A WebSocket takes one turn, for its handshake: all of its messages go to one replica."
)

// notForLayer4 is why such a proxy carries nothing but HTTP.
func notForLayer4() map[lab.Protocol]string {
	const why = "it is a proxy of layer 7: it speaks HTTP and nothing else"
	return map[lab.Protocol]string{lab.TCP: why, lab.UDP: why}
}

// canProxy refuses what no proxy can be configured for.
func canProxy(f lab.Facts, to []lab.Replica) error {
	switch {
	case len(f.SidecarListen) == 0:
		return errors.New("the runtime gives a proxy no address to listen on")
	case len(to) == 0:
		return errNoReplica
	}
	return nil
}
