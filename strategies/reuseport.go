package strategies

import "github.com/portlab/portlab/lab"

func init() {
	register(reuseport{})
	register(reuseportHost{})
}

// mustReusePort is what the application must do under both.
const mustReusePort = "set SO_REUSEPORT on its listening socket before bind(2)"

// reuseport puts all replicas into one network namespace, where each binds the
// same port. There is nothing to change on the host: the sandbox that owns the
// namespace is published as any one container is.
type reuseport struct{}

func (reuseport) Name() string { return "reuseport" }

func (reuseport) About() lab.About {
	return lab.About{
		Summary: "replicas share a sandbox's network namespace and bind one port with SO_REUSEPORT",
		Path: []string{
			"The front is published once, for the sandbox: the engine's DNAT rule (from outside and for the host's address) or docker-proxy (127.0.0.1, replicas) leads there.",
			"In the sandbox's namespace as many sockets listen on the port as there are replicas.",
			"The kernel picks one by a hash of the packet's addresses and ports.",
			"The connection waits in the accept queue of that replica alone.",
		},
		Caveats: append(reuseportCaveats(),
			"The replicas see each other's ports and share one loopback address: they are less isolated than containers usually are.",
			"When the sandbox goes, all lose their network.",
		),
		Sources: reuseportSources(),
	}
}

func (reuseport) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.SharedNetns, ReusePort: true, Publish: lab.PublishSandbox,
		Application: mustReusePort, Null: lab.Hash,
	}
}

// Steps is empty: the runtime publishes the sandbox, and the kernel does the rest.
func (reuseport) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }

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
		"The choice is fixed for each address and port of a client: the same four numbers go to the same replica.",
		"What waits in the accept queue of a replica that ends is reset, unless net.ipv4.tcp_migrate_req is 1 (Linux 5.14).",
		"A replica that hangs goes on to get its share.",
	}
}

func reuseportSources() []string {
	return []string{
		"socket(7): SO_REUSEPORT",
		"https://lwn.net/Articles/542629/ (the SO_REUSEPORT socket option)",
		"https://docs.kernel.org/networking/ip-sysctl.html (tcp_migrate_req)",
	}
}
