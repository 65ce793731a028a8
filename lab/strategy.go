package lab

import (
	"context"
	"net/netip"
)

// Strategy describes how replicas are put behind one front. It changes nothing
// itself: [Expose] applies what it describes.
type Strategy interface {
	// Name is what the user types: lower case, words joined by hyphens.
	Name() string
	// About is for people: one line, the path of a packet, the caveats.
	About() About
	// Needs says what the host and the application must offer.
	Needs() Needs
	// Steps returns the changes of the host that put the replicas behind the
	// front. It is a pure function: same input, same steps. Steps that differ
	// only because the replicas do keep their ID, so that an exposure can follow.
	Steps(f Facts, front Front, to []Replica) ([]Step, error)
}

// About describes a strategy to people. All texts are plain; Path, Caveats
// and OverUDP are one sentence an item.
type About struct {
	Summary string   // one line, for lists
	Path    []string // the way of a packet from the client to the replica, hop by hop
	Caveats []string // what its user must know
	OverUDP []string // what its user must know of UDP besides
	Sources []string // where the mechanism is documented: RFC, man page, kernel document
}

// Needs is what a strategy asks of a host, of a runtime and of the application.
type Needs struct {
	Placement Placement
	ReusePort bool    // the application must set SO_REUSEPORT (socket(7)) on its listening socket
	OwnPorts  bool    // with HostNetns: each replica listens on a port of its own in place of the front's
	Publish   Publish // what the runtime itself publishes at the front
	Inherit   Inherit // the listening sockets that replicas inherit
	// OwnHost: the host must be the run's own and go with it, because what the
	// strategy changes there carries no run's name or catches what is not the
	// front's.
	OwnHost bool
	// SharedAddress: the front's address is every replica's, beside its own, and
	// none of the host's, which routes it to them; replicas listen on the front's
	// port.
	SharedAddress bool
	// Labels are what the container of each replica carries, such as those that
	// Traefik reads; [ReplicaPort] may stand in their values. Only a container
	// engine gives labels.
	Labels map[string]string
	Root   bool // the steps change the host's network and need CAP_NET_ADMIN (capabilities(7))
	// Application is what the application must do or be told, for people; empty
	// if nothing.
	Application string
	Probes      []Probe
	// NotFrom gives, for a vantage that cannot work, the reason.
	NotFrom map[Vantage]string
	// NotFromIPv6 gives what rules a vantage out with IPv6 only.
	NotFromIPv6 map[Vantage]string
	// OneClient gives, for a vantage from which clients may have no source address
	// but the one that the system picks, the reason.
	OneClient map[Vantage]string
	// NotFor gives, for a protocol that the strategy cannot carry, the reason.
	NotFor map[Protocol]string
	// Null is how the strategy spreads connections when it works as designed.
	Null Null
}

// LabelRun is the label that all containers of a run carry; its value is the
// run's id.
const LabelRun = "portlab.run"

// ReplicaPort stands, in a label's value, for the port on which a replica
// listens.
const ReplicaPort = "{port}"

// Publish is what a runtime itself publishes at the front, as `docker run -p`
// does, without a step of the strategy.
type Publish string

// The kinds of publishing.
const (
	PublishNone  Publish = ""      // nothing
	PublishFirst Publish = "first" // the first replica
	PublishEach  Publish = "each"  // every replica, all at the same port: the second one is refused
	// PublishSandbox is the sandbox of a shared namespace. A runtime that cannot
	// publish leaves it to the strategy's steps ([Facts.Published]).
	PublishSandbox Publish = "sandbox"
	// PublishIngress makes the replicas tasks of one service of Docker Swarm, and
	// publishes its port by the routing mesh.
	PublishIngress Publish = "ingress"
	// PublishTasks makes them tasks as well, and publishes each task's port on its
	// node: one node takes one task.
	PublishTasks Publish = "tasks"
)

// NeedsEngine says whether only a container engine can publish so.
func (p Publish) NeedsEngine() bool { return p != PublishNone && p != PublishSandbox }

// OfService says whether the replicas are tasks of a service.
func (p Publish) OfService() bool { return p == PublishIngress || p == PublishTasks }

// Inherit is which listening sockets replicas inherit, one for each address of
// the front, made in the host's namespace and handed over as sd_listen_fds(3)
// has it.
type Inherit string

// The ways to inherit.
const (
	InheritNone   Inherit = ""       // none: a replica makes its own
	InheritOwn    Inherit = "own"    // each replica others, all on one port with SO_REUSEPORT
	InheritShared Inherit = "shared" // all replicas the same, whose queue they share
)

// WhyNotFrom is why the strategy cannot work from a vantage with an IP
// version; empty if it can.
func (n Needs) WhyNotFrom(v Vantage, ip Family) string {
	if why, no := n.NotFrom[v]; no || ip != IPv6 {
		return why
	}
	return n.NotFromIPv6[v]
}

// WhyNotFor is why the strategy cannot carry a protocol; empty if it can.
func (n Needs) WhyNotFor(p Protocol) string { return n.NotFor[p] }

// Fleet fills in what these needs ask of a fleet.
func (n Needs) Fleet(s FleetSpec) FleetSpec {
	s.OwnPorts = n.OwnPorts
	s.Placement, s.ReusePort, s.Publish, s.Inherit, s.OwnHost = n.Placement, n.ReusePort, n.Publish, n.Inherit, n.OwnHost
	s.SharedAddress, s.Labels = n.SharedAddress, n.Labels
	return s
}

// Null is how a strategy spreads connections when it works as designed. It
// decides which test of the distribution is valid.
type Null string

// The nulls.
const (
	Random           Null = "random"            // each connection independently, with fixed shares: multinomial
	Hash             Null = "hash"              // fixed per 4-tuple; multinomial over distinct tuples
	HashAddress      Null = "hash-address"      // fixed per client address; multinomial over distinct addresses
	RoundRobin       Null = "round-robin"       // in turn: max - min <= 1 for each worker that keeps its own turn
	LeastConnections Null = "least-connections" // to the least busy; near even under load, no exact null
	AcceptRace       Null = "accept-race"       // whoever accepts first: no null, often skewed
	Single           Null = "single"            // one replica gets everything
	UnknownNull      Null = "unknown"           // of a server that the lab did not set up
)

// Probe finds out whether a host offers something.
type Probe struct {
	Name string // what is looked for, such as "iptables"
	// Check returns nil if it is there for this IP version, an
	// [UnsupportedError] if it is not, and any other error if it could not be told.
	Check func(ctx context.Context, h Host, ip Family) error
	// OfProgram: what is looked for is a sidecar's program, which an image that
	// is given to run sidecars from has instead.
	OfProgram bool
}

// Weighted is a [Strategy] that can spread by the replicas' weights.
type Weighted interface {
	Strategy
	Weighted()
}

// Warner is a [Strategy] that must not be used without a word of warning.
type Warner interface {
	Strategy
	Warning() string
}

// Targeter is a [Strategy] whose clients do not dial the front. Where it gives
// several targets, the client picks one at random for each connection.
type Targeter interface {
	Strategy
	Targets(front Front, v Vantage, to []Replica) []netip.AddrPort
}

// Concurrent is a [Strategy] whose turns are kept by several workers, so that
// round robin is even only within each of them.
type Concurrent interface {
	Strategy
	Workers() int
}

// Facts is what is known of a host: the input of [Strategy.Steps] beside the
// front and the replicas.
type Facts struct {
	Run    RunID  `json:"run"`
	Family Family `json:"family"`
	// Link is how replicas with a namespace of their own are linked to the host.
	Link LinkKind `json:"link"`
	// Bridge is the host's link to the replicas: the bridge whose ports they are
	// or, where Link is another kind, the host's own link of that kind.
	Bridge string `json:"bridge"`
	// Subnet is the replicas' network; Gateway the host's own address in it.
	Subnet  netip.Prefix `json:"subnet"`
	Gateway netip.Addr   `json:"gateway"`
	// ForwardChain is the chain of the filter table in which forwarded traffic
	// must be accepted, such as DOCKER-USER; empty where nothing drops it.
	ForwardChain string `json:"forward_chain"`
	// SidecarListen is where a sidecar must listen for the front to reach it.
	SidecarListen []netip.AddrPort `json:"sidecar_listen"`
	// Engine is the address of the container engine's socket, such as
	// unix:///var/run/docker.sock; empty where there is no engine.
	Engine string `json:"engine"`
	// Published: the runtime itself leads the front to the replicas, as `docker
	// run -p` does.
	Published bool `json:"published"`
	// Client is the external client's first address; invalid where there is none.
	Client netip.Addr `json:"client"`
	// Clients is the network that all its addresses are in; where it has only
	// the one, a network of that alone, such as 198.19.0.2/32.
	Clients netip.Prefix `json:"clients"`
	// Protocol is what clients of the front speak, and Transport what is below
	// it: "tcp" or "udp".
	Protocol  Protocol `json:"protocol"`
	Transport string   `json:"transport"`
}
