package lab

import "context"

// TraceKind is what sort of thing a run left outside its own memory.
type TraceKind string

// The kinds of trace, in the order in which they must go: what uses a thing
// goes before the thing itself.
const (
	ProcessTrace   TraceKind = "process"
	ServiceTrace   TraceKind = "service" // of Swarm, which would start its containers again
	ContainerTrace TraceKind = "container"
	RuleTrace      TraceKind = "rule" // of a chain that is not the run's own
	ChainTrace     TraceKind = "chain"
	TableTrace     TraceKind = "table" // of nftables
	SysctlTrace    TraceKind = "sysctl"
	SwarmTrace     TraceKind = "swarm" // that an engine is in for the run alone
	NetworkTrace   TraceKind = "network"
	LinkTrace      TraceKind = "link"
	ImageTrace     TraceKind = "image"
	FileTrace      TraceKind = "file"
)

// TraceKinds lists them all, in the order in which they must go.
func TraceKinds() []TraceKind {
	return []TraceKind{
		ProcessTrace, ServiceTrace, ContainerTrace, RuleTrace, ChainTrace, TableTrace, SysctlTrace,
		SwarmTrace, NetworkTrace, LinkTrace, ImageTrace, FileTrace,
	}
}

// Trace is one thing that a run made outside its own memory, found again by
// the run's id in its name or label.
type Trace struct {
	Run  RunID
	Kind TraceKind
	Name string // such as nat/PORTLAB-k3f9a2-DNAT
	// Remove takes it away. It is no error if it is gone already.
	Remove func(ctx context.Context) error
}

// Finder finds the traces of all runs of this [Home], dead or alive. It
// returns what it found even where it could not look everywhere.
type Finder func(ctx context.Context) ([]Trace, error)
