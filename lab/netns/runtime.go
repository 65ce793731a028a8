package netns

import (
	"context"
	"errors"
	"sync"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Options are what a [Runtime] must be told.
type Options struct {
	// Binary is the path of the project's own program, which replicas run;
	// empty: the program that runs now.
	Binary string
}

// Runtime makes fleets of namespaces and processes. It is a [lab.Runtime].
type Runtime struct {
	binary string
	host   func() (*kernel.Host, error) // for probes; made once, and gone with the process
}

// New makes a runtime. It makes no namespace yet.
func New(o Options) *Runtime {
	return &Runtime{binary: o.Binary, host: sync.OnceValues(func() (*kernel.Host, error) {
		ns, err := kernel.New()
		if err != nil {
			return nil, err
		}
		return kernel.NewHost(ns, kernel.NewSidecars(ns, "", o.Binary)), nil
	})}
}

// Name is "netns".
func (*Runtime) Name() string { return "netns" }

// maxReplicas is how many fit on one bridge (numbers below BR_MAX_PORTS in
// net/bridge/br_private.h, from 1 on).
const maxReplicas = 1023

// Supports implements [lab.Runtime].
func (*Runtime) Supports(spec lab.FleetSpec) error {
	switch {
	case spec.FrontAddress.IsValid() || spec.Client.IsValid():
		return &lab.UnsupportedError{
			What: "a front that other machines can call", Reason: "the netns runtime's host is a namespace, which only this machine can reach",
			Remedy: "use --runtime docker",
		}
	case spec.Image != "" || spec.SidecarImage != "":
		return noEngine("container images")
	case spec.Publish.NeedsEngine():
		return noEngine("a published port")
	case len(spec.Labels) > 0:
		return noEngine("a replica's labels")
	case spec.Replicas > maxReplicas:
		return lab.Usagef("the netns runtime starts at most %d replicas, as many as a Linux bridge has ports, not %d", maxReplicas, spec.Replicas)
	}
	return kernel.CheckSources(spec.Vantage, spec.Family, spec.Clients)
}

func noEngine(what string) error {
	return &lab.UnsupportedError{
		What: what, Reason: "the netns runtime has no container engine",
		Remedy: "use --runtime docker",
	}
}

// Host is a host with nothing on it. It returns an [lab.UnsupportedError]
// without the capabilities that a world gives ([Enter]).
func (r *Runtime) Host(context.Context) (lab.Host, error) {
	h, err := r.host()
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Draft says what Open would make, and asks nobody: every run has a world to
// itself.
func (r *Runtime) Draft(_ context.Context, spec lab.FleetSpec) (lab.Blueprint, error) {
	if err := r.Supports(spec); err != nil {
		return lab.Blueprint{}, err
	}
	return draft(spec), nil
}

// Open makes the host, the external client and the replicas.
func (r *Runtime) Open(ctx context.Context, spec lab.FleetSpec) (lab.Fleet, error) {
	if err := r.Supports(spec); err != nil {
		return nil, err
	}
	f := newFleet(spec, r.binary)
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(err, lab.Unclean(f.Close(ctx)))
	}
	return f, nil
}
