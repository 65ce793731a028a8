package strategies

import "github.com/portlab/portlab/lab"

func init() { register(sharedSocket{}) }

// mustInherit is what the application must do where its sockets are made for it.
const mustInherit = "take its listening sockets from whoever starts it, as sd_listen_fds(3) has it"

// sharedSocket has all replicas accept from one listening socket.
type sharedSocket struct{}

func (sharedSocket) Name() string { return "shared-socket" }

func (sharedSocket) About() lab.About {
	return lab.About{
		Summary: "isolated replicas inherit one and the same listening socket, and whoever is first accepts",
		Path: []string{
			"Before the first replica starts, one socket to listen on is made in the host's network namespace, for each address of the front; whoever made it keeps it open.",
			"Each replica inherits it as an open file descriptor, while it runs in a network namespace of its own.",
			"The packet reaches the front's address on the host and is not translated; the connection waits in the one accept queue.",
			"The kernel wakes replicas that wait for it, and the first to call accept(2) gets it.",
		},
		Caveats: []string{
			"The application must take an inherited listening socket, as with systemd's socket activation (sd_listen_fds(3)); the port is not its own to choose.",
			"Nothing spreads connections: where replicas wait by epoll(7) the kernel wakes the one that came last first, so at little load one replica gets nearly all; blocking accept(2) takes turns.",
			"It evens out under load: a replica that is busy does not accept, so the others do. That is the best there is for the longest wait (one queue, many servers).",
			"A replica that dies loses only what it had accepted: the queue is not its own. One that is paused or hangs takes nothing more.",
			"While no replica is there, connections wait in the queue until there is one or it is full (listen(2), net.core.somaxconn).",
			"A connection wakes more replicas than it needs (the thundering herd), unless they ask for EPOLLEXCLUSIVE.",
			"Accepted connections belong to the host's namespace: its sysctls, its firewall and its counters hold for them.",
		},
		OverUDP: []string{
			"Each datagram goes to whoever reads first, so those of one client do not keep to a replica.",
		},
		Sources: []string{
			"sd_listen_fds(3)", "systemd.socket(5): Accept=no", "epoll_ctl(2): EPOLLEXCLUSIVE",
			"https://blog.cloudflare.com/the-sad-state-of-linux-socket-balancing/",
			"https://blog.cloudflare.com/perfect-locality-and-three-epic-systemtap-scripts/",
			"network_namespaces(7)",
		},
	}
}

func (sharedSocket) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Inherit: lab.InheritShared, Null: lab.AcceptRace, Application: mustInherit,
	}
}

// Steps is empty: the socket is there before the replicas, so the runtime makes
// it.
func (sharedSocket) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }
