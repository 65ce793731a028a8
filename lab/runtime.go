package lab

import (
	"context"
	"net/netip"
	"time"
)

// Runtime makes fleets.
type Runtime interface {
	// Name is what the user types: docker, netns.
	Name() string
	// Supports returns an [UnsupportedError] for a fleet that the runtime cannot
	// make for this user, and a [UsageError] for one that makes no sense. It asks
	// no engine and makes nothing. A spec without a vantage is for none yet.
	Supports(spec FleetSpec) error
	// Host gives the host as it is before a fleet, for probes. It returns an
	// [UnsupportedError] if the runtime cannot work here.
	Host(ctx context.Context) (Host, error)
	// Draft says what Open would make, and makes nothing.
	Draft(ctx context.Context, spec FleetSpec) (Blueprint, error)
	// Open makes a host with replicas on it and waits until each is ready. A
	// failed Open leaves nothing behind.
	Open(ctx context.Context, spec FleetSpec) (Fleet, error)
}

// FleetSpec is what a runtime is asked for.
type FleetSpec struct {
	Run       RunID
	Family    Family
	Replicas  int
	Weights   []float64 // one for each replica, or none
	Placement Placement
	Link      LinkKind // of replicas with a namespace of their own; empty: LinkBridge
	ReusePort bool
	OwnPorts  bool
	Publish   Publish
	Inherit   Inherit
	OwnHost   bool     // as in [Needs]
	Vantage   Vantage  // from which the front will be called
	Protocol  Protocol // that the replicas speak; empty: HTTP1
	Clients   int      // source addresses that the clients at Vantage need; 0: 1
	Port      uint16   // of the front; 0: the first free one from 8080 on
	// FrontAddress is an address of this machine's own to have as the front's, so
	// that other machines can call it; invalid: the runtime's choice, which they
	// cannot.
	FrontAddress netip.Addr
	// Client is the address of a client on another machine, which calls the front
	// from the vantage external; invalid: the runtime makes a client.
	Client netip.Addr
	// SharedAddress and Labels are as in [Needs].
	SharedAddress bool
	Labels        map[string]string
	// Image is a server of the user's own, and ImagePort where it listens;
	// empty: the instrumented http_server.
	Image     string
	ImagePort uint16
	// SidecarImage is the image to run sidecars from; empty: the runtime's choice.
	SidecarImage string
	// ReadyTimeout is how long a replica may take to answer; 0: 30 s.
	ReadyTimeout time.Duration
	// Notice is told, in one sentence, what a person may want to know while it
	// happens, such as that an image is pulled. It may be nil.
	Notice func(string)
}

// Blueprint is all that is known of a fleet before it exists.
type Blueprint struct {
	Facts    Facts     `json:"facts"`
	Front    Front     `json:"front"`
	Replicas []Replica `json:"replicas"`
	// Shell is how to make the same by hand: lines ready to be pasted.
	Shell []string `json:"shell"`
	// Undo is how to take it away again by hand.
	Undo []string `json:"undo"`
	// HostShell is the prefix of a command that runs on the host, such as "ip
	// netns exec host"; empty where the host is the machine itself.
	HostShell string `json:"host_shell"`
	// LAN are the two ends of the link between the external client and the host;
	// none where there is no such client.
	LAN []LinkEnd `json:"-"`
}

// Fleet is a host with replicas on it, and places for clients to stand.
type Fleet interface {
	Host() Host
	// Blueprint describes the fleet as it is now.
	Blueprint() Blueprint
	// Place gives a place for a client. It returns an [UnsupportedError] where
	// this fleet has none.
	Place(ctx context.Context, v Vantage) (Place, error)
	// Environment says what a reader must know to make sense of figures.
	Environment(ctx context.Context) Environment
	// Close takes everything away. It is idempotent, and joins errors.
	Close(ctx context.Context) error
}

// Scaler is a [Fleet] whose set of replicas can change while it serves.
type Scaler interface {
	// Add starts n more replicas and returns when each is ready.
	Add(ctx context.Context, n int) ([]Replica, error)
	// Remove drains and ends the named replicas. Where the engine itself chooses
	// which ones end, it ends as many and says in a notice which they were.
	Remove(ctx context.Context, instances ...string) error
}

// Disposable is a [Fleet] whose host goes with it: closing it undoes all that
// steps have changed there, so that they need not be reverted one by one.
type Disposable interface {
	Fleet
	Disposable()
}

// Counter is a [Fleet] that can count, from outside, the connections that each
// replica has accepted so far: the passive opens of its network namespace
// (tcpPassiveOpens, RFC 4022). Keys are instance names.
type Counter interface {
	Accepted(ctx context.Context) (map[string]uint64, error)
}

// Logger is a [Fleet] that can show the end of each replica's log.
type Logger interface {
	Logs(ctx context.Context) map[string]string
}

// Place is where a client stands: a thread of its network namespace.
type Place interface {
	// Do runs f on a thread inside the place's network namespace. A socket that
	// f creates belongs to that namespace and can be used anywhere afterwards.
	Do(ctx context.Context, f func() error) error
	// Shell is the prefix of a command that runs at this place, such as
	// "ip netns exec client"; empty on the host itself.
	Shell() string
}

// Environment is what a reader must know to make sense of figures.
type Environment struct {
	Kernel    string            `json:"kernel"` // release, as uname -r has it
	OS        string            `json:"os"`     // PRETTY_NAME of os-release(5)
	CPU       string            `json:"cpu"`    // model name
	CPUs      int               `json:"cpus"`   // that the run may use
	MemoryMiB uint64            `json:"memory_mib"`
	Engine    string            `json:"engine"`   // name and version of the container engine; empty without one
	Firewall  string            `json:"firewall"` // iptables version with its back end
	Sysctls   map[string]string `json:"sysctls"`  // those that change what is measured
	Versions  map[string]string `json:"versions"` // of portlab and of every program in the path
	Notes     []string          `json:"notes"`    // what was unusual, one sentence each
	// Virtualization is what the machine runs on, in the words of
	// systemd-detect-virt(1): kvm, oracle, vmware...; empty if nothing is known of.
	Virtualization string `json:"virtualization,omitempty"`
	// Emulated: the processor was emulated in software (QEMU's TCG), so that
	// times, rates and costs say nothing of real hardware.
	Emulated bool `json:"emulated,omitempty"`
}

// Targets gives what a client at v dials under a strategy.
func Targets(s Strategy, front Front, v Vantage, to []Replica) []netip.AddrPort {
	if t, ok := s.(Targeter); ok {
		return t.Targets(front, v, to)
	}
	return []netip.AddrPort{front.At(v)}
}
