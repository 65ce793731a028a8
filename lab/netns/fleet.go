package netns

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// fleet is processes in namespaces of their own. It implements
// [lab.Disposable], [lab.Scaler], [lab.Counter], [lab.Logger], [lab.Metered]
// and [lab.Killer].
type fleet struct {
	spec     lab.FleetSpec
	layout   layout
	binary   string
	hostNS   *kernel.Namespace
	client   *kernel.Namespace
	host     *kernel.Host
	sidecars *kernel.Sidecars

	sharing sync.Mutex
	shared  []*os.File // the sockets that all replicas inherit, once there is one

	mu         sync.Mutex
	blueprint  lab.Blueprint
	namespaces map[string]*kernel.Namespace // behind the link to the replicas, by plan.where
	replicas   map[string]*kernel.Process   // by instance
	killed     map[string]lab.Consumption   // what they had used, by instance
	started    int                          // replicas so far, those gone included
	closed     bool
}

func newFleet(spec lab.FleetSpec, binary string) *fleet {
	return &fleet{
		spec: spec, layout: layoutOf(spec.Family), binary: binary, blueprint: draft(spec),
		namespaces: map[string]*kernel.Namespace{}, replicas: map[string]*kernel.Process{},
		killed: map[string]lab.Consumption{}, started: spec.Replicas,
	}
}

func (f *fleet) open(ctx context.Context) error {
	if err := f.makeHost(ctx); err != nil {
		return fmt.Errorf("make the host: %w", err)
	}
	if err := f.makeClient(ctx); err != nil {
		return fmt.Errorf("make the external client: %w", err)
	}
	return f.startAll(ctx, plansOf(f.spec, f.blueprint.Front))
}

func (f *fleet) makeHost(ctx context.Context) error {
	ns, err := kernel.New()
	if err != nil {
		return err
	}
	f.hostNS = ns
	f.sidecars = kernel.NewSidecars(ns, f.spec.Run, f.binary)
	f.host = kernel.NewHost(ns, f.sidecars)
	if err := f.makeLinkToReplicas(ctx); err != nil {
		return err
	}
	for _, s := range sysctlsOf(f.spec.Family) {
		err := f.host.Sysctls().Set(s.name, s.value)
		if err != nil && !(s.optional && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// sysctl is a parameter of the host's namespace.
type sysctl struct {
	name, value string
	optional    bool // a kernel without it is as good
}

// sysctlsOf are those that make a fresh namespace a host: it forwards, and
// frames that pass its bridge go by no packet filter.
func sysctlsOf(ip lab.Family) []sysctl {
	if ip == lab.IPv6 {
		return []sysctl{
			{name: "net.ipv6.conf.all.forwarding", value: "1"},
			{name: "net.bridge.bridge-nf-call-ip6tables", value: "0", optional: true},
		}
	}
	return []sysctl{
		{name: "net.ipv4.ip_forward", value: "1"},
		{name: "net.bridge.bridge-nf-call-iptables", value: "0", optional: true},
	}
}

func (f *fleet) makeClient(ctx context.Context) error {
	ns, err := kernel.New()
	if err != nil {
		return err
	}
	f.client = ns
	l := f.layout
	host := kernel.End{In: f.hostNS, Name: lan, Address: within(l.lan, l.host), Router: true}
	client := kernel.End{In: ns, Name: inside, Address: within(l.lan, l.client), Gateway: l.host, More: f.sources(l.client)[1:]}
	if err := kernel.CreateVeth(ctx, f.spec.Run, host, client); err != nil {
		return err
	}
	return kernel.AwaitLinks(ctx, host, client)
}

// startAll makes the namespaces that plans need and starts their processes.
// Links wait for the kernel and processes for a CPU, so a replica's process
// starts while the next one's link is made.
func (f *fleet) startAll(ctx context.Context, plans []plan) error {
	if f.spec.Placement == lab.SharedNetns && f.namespace(sandbox) == nil {
		if err := f.makeNamespace(ctx, plans[0]); err != nil {
			return err
		}
	}
	return together(ctx, plans, func(ctx context.Context, p plan) error {
		if p.where == p.instance {
			if err := f.makeNamespace(ctx, p); err != nil {
				return err
			}
		}
		return f.startReplica(ctx, p)
	})
}

// makeNamespace makes one behind the host's link to the replicas.
func (f *fleet) makeNamespace(ctx context.Context, p plan) error {
	ns, err := kernel.New()
	if err != nil {
		return fmt.Errorf("make the namespace of %s: %w", p.where, err)
	}
	f.mu.Lock()
	f.namespaces[p.where] = ns
	f.mu.Unlock()
	if err := f.linkNamespace(ctx, p, ns); err != nil {
		return fmt.Errorf("link %s to the host: %w", p.where, err)
	}
	if !f.spec.SharedAddress {
		return nil
	}
	return kernel.HoldAddress(ctx, ns, f.blueprint.Front.Address)
}

// namespace gives the one that a plan names.
func (f *fleet) namespace(where string) *kernel.Namespace {
	if where == onHost {
		return f.hostNS
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.namespaces[where]
}

// Host is a namespace; sidecars are processes in it.
func (f *fleet) Host() lab.Host { return f.host }

// Blueprint describes the fleet as it is now.
func (f *fleet) Blueprint() lab.Blueprint {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.blueprint
	b.Replicas = slices.Clone(b.Replicas)
	return b
}

// Disposable marks that the host goes with the fleet.
func (*fleet) Disposable() {}

// Close ends the processes. The kernel takes the namespaces away by itself, a
// moment after nothing uses them any more.
func (f *fleet) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lab.RevertTimeout)
	defer cancel()
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	f.mu.Unlock()
	errs := []error{closeAll(f.shared)}
	if f.sidecars != nil {
		errs = append(errs, f.sidecars.KillAll())
	}
	for _, r := range f.replicas {
		_ = r.Signal(unix.SIGKILL) // all at once; Kill sees to each
	}
	for _, r := range f.replicas {
		r.Kill()
	}
	if f.host != nil {
		errs = append(errs, f.host.DetachAll(ctx)) // with nobody left to take sockets of
	}
	for _, ns := range f.namespaces {
		errs = append(errs, ns.Close())
	}
	for _, ns := range []*kernel.Namespace{f.client, f.hostNS} {
		if ns != nil {
			errs = append(errs, ns.Close())
		}
	}
	return errors.Join(errs...)
}

// together does something with each of some things, in parallel but not more
// at a time than the machine gains from. After the first failure it begins with
// no more of them, and returns what failed.
func together[T any](ctx context.Context, things []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	free := make(chan struct{}, 4*runtime.NumCPU())
	var wg sync.WaitGroup
	for _, x := range things {
		free <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			if err := do(ctx, x); err != nil {
				cancel(err)
			}
			<-free
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
