package lab

import (
	"context"
	"fmt"
	"time"
)

// Usage is what a fleet and its machine have used up to some moment.
type Usage struct {
	Replicas Consumption
	Sidecars Consumption
	// Machine is the time for which all processors together were busy, whatever
	// with: user, nice, system, irq and softirq of /proc/stat (proc(5)).
	Machine time.Duration
	// Stolen is the time in which a hypervisor ran something else (steal, proc(5)).
	Stolen time.Duration
	// Self is the processor time of this process, portlab itself, which is
	// nobody's cost.
	Self time.Duration
}

// Consumption is what processes use.
type Consumption struct {
	CPU         time.Duration // user and system time so far
	MemoryBytes uint64        // proportional set size now (smaps_rollup, proc(5))
}

// Metered is a [Fleet] that can say what its replicas and sidecars use.
type Metered interface {
	Usage(ctx context.Context) (Usage, error)
}

// Cost is what a load took, from its first request to its last answer.
// Kernel work on the path is charged, by the kernel itself, to whoever's system
// call it runs in: most of it to the client and the replicas.
type Cost struct {
	// Client is the processor time of the client's process, which on another
	// machine is no part of Machine; 0 if it is not known apart.
	Client   time.Duration `json:"client_ns"`
	Replicas time.Duration `json:"replicas_ns"` // of all replicas' processes
	Sidecars time.Duration `json:"sidecars_ns"` // of the proxies' processes
	// Rest is the machine's busy time that none of the others took, and this
	// process did not: kernel threads, interrupts that hit an idle processor, the
	// container engine, and whatever else ran on the machine.
	Rest                time.Duration `json:"rest_ns"`
	Machine             time.Duration `json:"machine_ns"` // busy time of all processors together
	Stolen              time.Duration `json:"stolen_ns"`  // taken by the hypervisor
	ReplicasMemoryBytes uint64        `json:"replicas_memory_bytes"`
	SidecarsMemoryBytes uint64        `json:"sidecars_memory_bytes"`
}

// Path is the processor time between client and replicas: that of sidecars and
// the rest. Where other programs are busy, theirs is in it.
func (c Cost) Path() time.Duration { return c.Sidecars + c.Rest }

// CostBetween is what was used between two readings, with a client that took
// so much processor time.
func CostBetween(before, after Usage, client time.Duration) Cost {
	c := Cost{
		Client:              client,
		Replicas:            after.Replicas.CPU - before.Replicas.CPU,
		Sidecars:            after.Sidecars.CPU - before.Sidecars.CPU,
		Machine:             after.Machine - before.Machine,
		Stolen:              after.Stolen - before.Stolen,
		ReplicasMemoryBytes: after.Replicas.MemoryBytes,
		SidecarsMemoryBytes: after.Sidecars.MemoryBytes,
	}
	// The kernel counts processes finer than processors, so that the difference
	// may come out below nothing.
	c.Rest = max(c.Machine-c.Client-c.Replicas-c.Sidecars-(after.Self-before.Self), 0)
	return c
}

// meter begins to count what a load costs; what it returns ends that. Replicas
// that go while it is offered would take their count along, so that with
// changes nothing is counted.
func (t *Trial) meter(ctx context.Context, fleet Fleet) (func(context.Context, Client) (*Cost, error), error) {
	f, ok := fleet.(Metered)
	if !ok || len(t.Changes) > 0 {
		return func(context.Context, Client) (*Cost, error) { return nil, nil }, nil
	}
	before, err := f.Usage(ctx)
	if err != nil {
		return nil, fmt.Errorf("read what the replicas use: %w", err)
	}
	return func(ctx context.Context, c Client) (*Cost, error) {
		after, err := f.Usage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read what the replicas used: %w", err)
		}
		cost := CostBetween(before, after, c.here())
		cost.Client = c.CPU()
		return &cost, nil
	}, nil
}

// Killer is a [Fleet] that can end a replica as a crash would: SIGKILL, with
// nothing drained and no rule changed.
type Killer interface {
	Kill(ctx context.Context, instance string) error
}
