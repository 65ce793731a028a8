package lab

import (
	"context"
	"net/netip"
	"syscall"
)

// Host is a machine, or a namespace that stands for one. It is the sum of the
// places where a step may change something; labtest has a strict fake.
type Host interface {
	// Do runs f on a thread inside the host's network namespace.
	Do(ctx context.Context, f func() error) error
	Filter
	Network
	// BPF gives the programs that run in the kernel.
	BPF() BPF
	// Sidecars gives the programs that run beside the replicas.
	Sidecars() Sidecars
}

// Filter is what drops or rewrites packets on a [Host].
type Filter interface {
	// Rules gives the packet filter of one family. It returns an
	// [UnsupportedError] where there is none or it may not be used.
	Rules(ip Family) (Rules, error)
	// Nftables gives the tables of nftables. It returns an [UnsupportedError]
	// where there are none or they may not be used.
	Nftables() (Nftables, error)
	// VirtualServers gives IPVS. It returns an [UnsupportedError] where the kernel
	// has none or it may not be used.
	VirtualServers() (VirtualServers, error)
	// Flows gives the connections that the kernel tracks.
	Flows() Flows
}

// Network is by what ways packets reach and leave a [Host].
type Network interface {
	// Routes gives the routes.
	Routes() Routes
	// Bridges gives the bridges that replicas are behind.
	Bridges() Bridges
	// Sysctls gives the kernel's parameters as the host's namespace sees them.
	Sysctls() Sysctls
}

// Rules is the part of iptables(8) that steps use. A rule is the list of words
// that would follow the chain's name on the command line.
type Rules interface {
	// NewChain makes an empty chain. It is an error if there is one already.
	NewChain(table, chain string) error
	// SetChain fills a chain with these rules and no others, in one transaction
	// (iptables-restore(8)).
	SetChain(table, chain string, rules [][]string) error
	// DeleteChain empties a chain and deletes it; no error if there is none.
	DeleteChain(table, chain string) error
	// Insert puts a rule before all others of a chain.
	Insert(table, chain string, rule ...string) error
	// Delete deletes a rule; no error if there is none.
	Delete(table, chain string, rule ...string) error
	// HasChain says whether there is such a chain.
	HasChain(table, chain string) (bool, error)
}

// Sysctls reads and writes the kernel's parameters (sysctl(8)), by name with
// dots, such as net.ipv4.ip_forward. Where a link's name has a dot, as in
// net.ipv4.conf.eth0/100.forwarding, it is written with a slash.
type Sysctls interface {
	// Get gives a parameter's value. Where there is no such parameter,
	// errors.Is finds fs.ErrNotExist in the error.
	Get(name string) (string, error)
	Set(name, value string) error
}

// Bridges changes how bridges treat what passes through them.
type Bridges interface {
	// Hairpin lets the ports that a bridge has now send a frame back where it
	// came from, or not (bridge(8), hairpin). It returns fs.ErrNotExist if there
	// is no such bridge.
	Hairpin(bridge string, on bool) error
}

// Flows is the kernel's table of tracked connections (conntrack(8)).
type Flows interface {
	// Forget deletes the entries whose original destination is one of front's
	// and whose replies come from one of replicas, and returns how many.
	Forget(front, replicas []netip.AddrPort) (uint, error)
}

// Sidecars starts and stops programs that belong to an exposure, such as a
// proxy: in a container or as a process, as the runtime has it.
type Sidecars interface {
	// Start starts a sidecar and returns when it listens or, where it cannot,
	// with an error that holds the end of its log.
	Start(ctx context.Context, s Sidecar) error
	// Reload gives a running sidecar its new files and has it read them.
	Reload(ctx context.Context, s Sidecar) error
	// Stop ends the sidecar of that name; no error if there is none.
	Stop(ctx context.Context, name string) error
}

// ProgramFinder is a [Sidecars] that knows, before it starts a sidecar, whether
// it has the program.
type ProgramFinder interface {
	Sidecars
	// FindProgram returns an [UnsupportedError] where the sidecar's program is
	// neither on this machine nor in an image that is here.
	FindProgram(ctx context.Context, s Sidecar) error
}

// SidecarDir stands, in a sidecar's arguments and in its files, for the folder
// that holds its files.
const SidecarDir = "{dir}"

// Sidecar is a program that an exposure needs running.
type Sidecar struct {
	Name    string            // unique within the exposure
	Program string            // what is executed, such as nginx; "portlab" is the project's own binary
	Args    []string          // with SidecarDir where the folder of its files is meant
	Files   map[string]string // its configuration: name within its folder to content
	// ReloadSignal makes the program read its files again with no connection
	// lost. Zero: it must be restarted.
	ReloadSignal syscall.Signal
	// Transport is that of the sockets that the program makes for itself, by which
	// it is known to be ready: "tcp" or "udp"; empty: tcp.
	Transport string
	// Watches: the program itself sees when one of its files is replaced, so that
	// it takes neither a signal nor a restart.
	Watches bool
	// AfterStop are the arguments with which the same program is run once more
	// when it has ended, to take back what it changed itself; none: it is not.
	// Only a sidecar on the host has them.
	AfterStop []string
	// VersionFlag has the program print its version; empty: -v.
	VersionFlag string
	// Image is the container image to prefer where sidecars are containers.
	Image string
	// Extra are the files that the program opens beside the libraries that it is
	// linked against, such as modules, as patterns of path/filepath. An image
	// packed from this machine's program has those that are there.
	Extra []string
	// Runs are programs that it starts itself: they must be on this machine, their
	// folders come first in its PATH, and their versions are recorded. Only a
	// sidecar on the host has them.
	Runs []string
	// Shares are files of the host that the program opens under their own names,
	// such as an engine's socket: where sidecars are containers, each is mounted.
	Shares []string
	// OnHost asks for a process in the host's own namespaces, which may dial
	// replicas and bind the front, even where sidecars are containers.
	OnHost bool
	// Sockets are what the program inherits to listen on, from file
	// descriptor 3 on, or from 4 on if it reports its status on 3.
	Sockets []Socket
	// Activated tells the program of its sockets by LISTEN_FDS and LISTEN_PID
	// (sd_listen_fds(3)).
	Activated bool
	// Status: file descriptor 3 is a pipe on which the program writes "0\n" when
	// it is ready, and anything else when it is not (docker-proxy's protocol).
	Status bool
}

// Socket is a socket made in the host's namespace that takes what comes to an
// address: a listening one of TCP, or a bound one of UDP.
type Socket struct {
	Address   netip.AddrPort
	Transport string // "tcp" or "udp"; empty: tcp
	ReusePort bool   // SO_REUSEPORT, socket(7)
}
