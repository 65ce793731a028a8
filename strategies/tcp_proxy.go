package strategies

import (
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(tcpProxy{}) }

// tcpProxy is the project's own proxy of layer 4: no program has to be installed.
type tcpProxy struct{}

func (tcpProxy) Name() string { return "tcp-proxy" }

func (tcpProxy) About() lab.About {
	return lab.About{
		Summary: "portlab's own proxy of TCP connections, in turn by smooth weighted round robin",
		Path: []string{
			"The front leads to the proxy, which accepts the connection.",
			"It takes the replica whose turn it is and dials it; if that fails, the next one.",
			"The kernel moves the bytes from one connection to the other through a pipe (splice(2)): they are not copied to user space.",
		},
		Caveats: []string{
			"The replica sees the proxy's address: the client's is lost.",
			"A connection stays with the replica that it was given, however many requests it carries.",
			"It does not look at replicas: one that hangs keeps its turns.",
		},
		Sources: []string{
			"splice(2)",
			"https://pkg.go.dev/net#TCPConn.ReadFrom (which uses it)",
			"nginx 1.3.1, commit \"Upstream: smooth weighted round-robin balancing\" (the turn)",
		},
	}
}

func (tcpProxy) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Null: lab.RoundRobin,
		NotFor: map[lab.Protocol]string{lab.UDP: "it carries connections, and UDP has none"},
	}
}

// Weighted marks that the turns follow the weights.
func (tcpProxy) Weighted() {}

// Workers is one: a single process keeps the turn.
func (tcpProxy) Workers() int { return 1 }

// Trails covers the time from the signal to the file that is read.
func (tcpProxy) Trails() time.Duration { return 200 * time.Millisecond }

func (tcpProxy) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	text, err := proxyConfigOf(f, to)
	if err != nil {
		return nil, err
	}
	return []lab.Step{step.Sidecar{Sidecar: lab.Sidecar{
		Name: "tcp-proxy", Program: "portlab",
		Args:         []string{"tcp-proxy", "--config", lab.SidecarDir + "/proxy.json"},
		Files:        map[string]string{"proxy.json": text},
		ReloadSignal: syscall.SIGHUP,
	}}}, nil
}
