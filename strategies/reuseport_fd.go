package strategies

import "github.com/portlab/portlab/lab"

func init() { register(reuseportFD{}) }

// reuseportFD has replicas share the front's port and keep network namespaces
// of their own: each inherits listening sockets that were made in the host's.
// A socket stays in the namespace in which it was made, whoever holds it.
type reuseportFD struct{}

func (reuseportFD) Name() string { return "reuseport-fd" }

func (reuseportFD) About() lab.About {
	return lab.About{
		Summary: "isolated replicas inherit listening sockets of the host's network, all on one port with SO_REUSEPORT",
		Path: []string{
			"Before a replica starts, a socket to listen on with SO_REUSEPORT is made for it in the host's network namespace, one for each address of the front.",
			"The replica inherits it as an open file descriptor, while it runs in a network namespace of its own.",
			"The packet reaches the front's address on the host and is not translated.",
			"As many sockets listen there as there are replicas; the kernel picks one by a hash of the packet's addresses and ports.",
			"The connection waits in the accept queue of that replica alone, and stays a socket of the host's namespace once accepted.",
		},
		Caveats: []string{
			"The application must take an inherited listening socket, as with systemd's socket activation (sd_listen_fds(3)); the port is not its own to choose.",
			"Accepted connections belong to the host's namespace: its sysctls, its firewall and its counters hold for them, and ss(8) in the replica's namespace does not show them.",
			"What the replica opens itself, such as a connection to a database, is in its own namespace.",
			"Whoever makes the sockets must close its own copies: one that stays open keeps the share of a replica that has ended, and nobody accepts.",
			"All sockets must be made by one effective user; any process of that user in the host's namespace may bind the port too and take a share.",
			hashIsFixed, queueIsReset, hangGoesOn,
			"The tcp_migrate_req that counts is that of the host's namespace, not the replica's.",
		},
		OverUDP: []string{hashOfUDP},
		Sources: append([]string{"network_namespaces(7)", "sd_listen_fds(3)"}, reuseportSources()...),
	}
}

func (reuseportFD) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Inherit: lab.InheritOwn, Null: lab.Hash,
		Application: mustInherit,
	}
}

// Steps is empty: the sockets are there before the replicas, so the runtime
// makes them.
func (reuseportFD) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }
