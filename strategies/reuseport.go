package strategies

import "github.com/portlab/portlab/lab"

func init() {
	register(reuseport{})
	register(reuseportHost{})
}

// mustReusePort is what the application must do under both.
const mustReusePort = "set SO_REUSEPORT on its listening socket before bind(2)"

// What all strategies with SO_REUSEPORT have in common.
const (
	hashIsFixed  = "The choice is fixed for each address and port of a client: the same four numbers go to the same replica, with all requests of a connection and all streams of one of HTTP/2."
	hashOfUDP    = "The same hash picks a socket for each datagram: it is fixed as long as the replicas are the same, and moves clients to others when one comes or goes."
	queueIsReset = "What waits in the accept queue of a replica that ends is reset, unless net.ipv4.tcp_migrate_req is 1 (Linux 5.14); datagrams that wait are lost."
	hangGoesOn   = "A replica that hangs goes on to get its share."
)

// reuseport puts all replicas into one network namespace, where each binds the
// same port. The front then leads to one address only, that of the sandbox
// that owns the namespace: an engine publishes it as it does any one container.
type reuseport struct{}

func (reuseport) Name() string { return "reuseport" }

func (reuseport) About() lab.About {
	return lab.About{
		Summary: "replicas share a sandbox's network namespace and bind one port with SO_REUSEPORT",
		Path: []string{
			"With an engine, the front is published once, for the sandbox: the engine's DNAT rule (from outside and for the host's address) or docker-proxy (127.0.0.1, replicas) leads there.",
			"Without one, a DNAT rule of the run's own leads there from everywhere, as dnat does with one replica.",
			"In the sandbox's namespace as many sockets listen on the port as there are replicas.",
			"The kernel picks one by a hash of the packet's addresses and ports.",
			"The connection waits in the accept queue of that replica alone.",
		},
		Caveats: append(reuseportCaveats(),
			"The replicas see each other's ports and share one loopback address: they are less isolated than containers usually are.",
			"When the sandbox goes, all lose their network.",
			"A replica sees the bridge's address, not the client's, where the client is on 127.0.0.1 or is a replica.",
			"Without an engine, route_localnet is set on the sandbox's bridge for 127.0.0.1; a rule keeps replicas from the host's loopback address.",
		),
		OverUDP: []string{hashOfUDP},
		Sources: append(reuseportSources(), "iptables-extensions(8): DNAT, MASQUERADE (without an engine)"),
	}
}

// Needs has neither root nor a probe: only a runtime that makes its own host
// leaves the front to the steps, and there it has the right.
func (reuseport) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.SharedNetns, ReusePort: true, Publish: lab.PublishSandbox,
		Application: mustReusePort, Null: lab.Hash, NotFromIPv6: notFromLoopbackIPv6(),
	}
}

// Steps leads the front to the sandbox where the runtime does not: to the
// first replica, since all have the sandbox's address. The kernel does the rest.
func (reuseport) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if f.Published {
		return nil, nil
	}
	sandbox := to[:min(1, len(to))]
	return expose(f, front, sandbox, cascade(f, sandbox, fair(sandbox)))
}

// reuseportHost has the replicas bind the front's port in the host's network.
type reuseportHost struct{}

func (reuseportHost) Name() string { return "reuseport-host" }

func (reuseportHost) About() lab.About {
	return lab.About{
		Summary: "replicas in the host's own network bind one port with SO_REUSEPORT",
		Path: []string{
			"The packet reaches the front's address on the host and is not translated.",
			"As many sockets listen there as there are replicas; the kernel picks one by a hash of the packet's addresses and ports.",
			"The connection waits in the accept queue of that replica alone.",
		},
		Caveats: append(reuseportCaveats(),
			"The replicas have the host's network with all of its ports: there is no isolation.",
			"Any process of the same user may bind the port too and take a share of the connections.",
		),
		OverUDP: []string{hashOfUDP},
		Sources: reuseportSources(),
	}
}

func (reuseportHost) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.HostNetns, ReusePort: true, Application: mustReusePort, Null: lab.Hash,
	}
}

// Steps is empty: the replicas listen on the front themselves.
func (reuseportHost) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }

func reuseportCaveats() []string {
	return []string{
		"The application must set SO_REUSEPORT, and all sockets must belong to one effective user.",
		hashIsFixed, queueIsReset, hangGoesOn,
	}
}

func reuseportSources() []string {
	return []string{
		"socket(7): SO_REUSEPORT",
		"https://lwn.net/Articles/542629/ (the SO_REUSEPORT socket option)",
		"https://docs.kernel.org/networking/ip-sysctl.html (tcp_migrate_req)",
	}
}
