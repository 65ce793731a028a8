package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/netns"
	"github.com/portlab/portlab/servers"
)

// fakeRuntime is a runtime without an engine or privilege: its replicas are
// servers of this very process on 127.0.0.1, so that the strategies that
// change nothing on the host can run from the vantage host.
type fakeRuntime struct {
	name     string
	noEngine bool // nothing works
	noIPv6   bool
	publish  bool  // it can publish ports
	draft    error // that the trial makes no sense
	dies     bool  // Open breaks on the way
	refuses  bool  // Open is refused
	silent   bool  // the last replica is given no connection
	noNetem  bool  // its kernel cannot impair a path
	// opening is called when Open is, which then lasts until it is interrupted.
	opening func()
	asked   int // how often it was asked for its host
}

// fakeRuntimes are the two runtimes as the words in the variable FAKE of a
// script want them.
func fakeRuntimes(getenv func(string) string) []lab.Runtime {
	is := faking(getenv)
	docker := &fakeRuntime{name: "docker", noEngine: is("no-engine"), noIPv6: true, publish: true}
	netns := &fakeRuntime{name: "netns"}
	for _, r := range []*fakeRuntime{docker, netns} {
		r.dies, r.refuses, r.silent, r.noNetem = is("dies"), is("refuses"), is("silent"), is("no-netem")
	}
	return []lab.Runtime{docker, netns}
}

// faking says whether a word is in the variable FAKE.
func faking(getenv func(string) string) func(string) bool {
	return func(word string) bool { return slices.Contains(strings.Fields(getenv("FAKE")), word) }
}

// fakeWorld is a world in this very process.
func fakeWorld(getenv func(string) string) world {
	return world{runtime: "netns", enter: func(ctx context.Context, w netns.World) (int, error) {
		if faking(getenv)("no-world") {
			return 0, &lab.UnsupportedError{What: "the netns runtime, to make namespaces", Reason: "this system forbids it", Remedy: "run with sudo"}
		}
		inner := fakeApp(getenv)
		inner.world.inside = true
		inner.stdin, inner.stdout, inner.stderr = w.Stdin, w.Stdout, w.Stderr
		return inner.run(ctx, w.Args), nil
	}}
}

func (r *fakeRuntime) Name() string { return r.name }

// fakeReplicas is how many replicas the fake docker makes at most.
const fakeReplicas = 100

func (r *fakeRuntime) Supports(spec lab.FleetSpec) error {
	switch {
	case spec.Family == lab.IPv6 && r.noIPv6:
		return &lab.UnsupportedError{What: "--ip 6", Reason: "IPv4 only", Remedy: "leave --ip out"}
	case !r.publish && (spec.Publish.NeedsEngine() || len(spec.Labels) > 0):
		return &lab.UnsupportedError{What: "a published port", Reason: "there is no engine in here"}
	case r.publish && spec.Replicas > fakeReplicas:
		return lab.Usagef("at most %d replicas, not %d", fakeReplicas, spec.Replicas)
	}
	return nil
}

func (r *fakeRuntime) Host(context.Context) (lab.Host, error) {
	r.asked++
	if r.noEngine {
		return nil, &lab.UnsupportedError{What: "the docker runtime", Reason: "no engine answers", Remedy: "start one"}
	}
	if r.noNetem {
		return oldHost{}, nil
	}
	return fakeHost{}, nil
}

func (r *fakeRuntime) Draft(_ context.Context, spec lab.FleetSpec) (lab.Blueprint, error) {
	if r.draft != nil {
		return lab.Blueprint{}, r.draft
	}
	b := lab.Blueprint{
		Facts: lab.Facts{Run: spec.Run, Family: spec.Family, Bridge: "br0", Protocol: spec.Protocol, Transport: spec.Protocol.Transport()},
		Front: lab.Front{Address: fakeAddress, Loopback: fakeAddress, Port: max(spec.Port, 8080)},
		Shell: []string{"start replicas"}, Undo: []string{"stop replicas"},
		LAN: []lab.LinkEnd{{Name: "eth0", Shell: "ip netns exec client"}, {Name: "lan0"}},
	}
	if spec.FrontAddress.IsValid() {
		b.Front.Address, b.Facts.Client = spec.FrontAddress, spec.Client
	}
	b.Facts.SidecarListen = b.Front.Endpoints()
	for i := range spec.Replicas {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, 0, byte(i + 2)}), 80)
		r := lab.Replica{Instance: lab.InstanceName(i), Address: at, Weight: 1}
		if len(spec.Weights) > 0 {
			r.Weight = spec.Weights[i]
		}
		b.Replicas = append(b.Replicas, r)
	}
	return b, nil
}

func (r *fakeRuntime) Open(ctx context.Context, spec lab.FleetSpec) (lab.Fleet, error) {
	switch {
	case r.dies:
		return nil, errors.New("the engine died")
	case r.refuses:
		return nil, &lab.RefusedError{What: "publish port 8080", Err: errors.New("address already in use")}
	case r.opening != nil:
		r.opening()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	b, err := r.Draft(ctx, spec)
	if err != nil {
		return nil, err
	}
	f := &fakeFleet{blueprint: b}
	for i := range f.blueprint.Replicas {
		if err := f.start(ctx, &f.blueprint.Replicas[i]); err != nil {
			return nil, errors.Join(err, f.Close(ctx))
		}
	}
	if last := len(f.blueprint.Replicas) - 1; r.silent {
		f.blueprint.Replicas[last].Address = f.blueprint.Replicas[0].Address
	}
	return f, nil
}

var fakeAddress = netip.AddrFrom4([4]byte{127, 0, 0, 1})

type fakeFleet struct {
	fakeHost
	blueprint lab.Blueprint
	end       []context.CancelFunc
	serving   sync.WaitGroup
}

func (f *fakeFleet) start(ctx context.Context, r *lab.Replica) error {
	s, err := servers.Listen(ctx, servers.Config{Instance: r.Instance, Hosts: []netip.Addr{fakeAddress}}, io.Discard)
	if err != nil {
		return err
	}
	r.Address = s.Addresses()[0]
	ctx, end := context.WithCancel(context.WithoutCancel(ctx))
	f.end = append(f.end, end)
	f.serving.Go(func() { _ = s.Serve(ctx) })
	return nil
}

func (f *fakeFleet) Host() lab.Host           { return f.fakeHost }
func (f *fakeFleet) Blueprint() lab.Blueprint { return f.blueprint }

func (f *fakeFleet) Place(context.Context, lab.Vantage) (lab.Place, error) { return fakeHost{}, nil }

func (f *fakeFleet) Environment(context.Context) lab.Environment { return lab.Environment{} }

// Impair is carried out on no path: there is none.
func (f *fakeFleet) Impair(context.Context, lab.Impairment) error { return nil }

func (f *fakeFleet) Close(context.Context) error {
	for _, end := range f.end {
		end()
	}
	f.serving.Wait()
	return nil
}

// fakeHost is this machine, on which nothing may be changed: what it does not
// define must not be called.
type fakeHost struct{ lab.Host }

func (fakeHost) Do(_ context.Context, f func() error) error { return f() }
func (fakeHost) Shell() string                              { return "" }
func (fakeHost) Sidecars() lab.Sidecars                     { return fakeSidecars{} }

// CheckImpair says that the kernel has NETEM.
func (fakeHost) CheckImpair(context.Context) error { return nil }

// oldHost is one whose kernel has none.
type oldHost struct{ fakeHost }

func (oldHost) CheckImpair(context.Context) error {
	return &lab.UnsupportedError{What: "impairing a path", Reason: "this kernel has no NETEM", Remedy: "load it"}
}

// fakeSidecars have every program, and start none.
type fakeSidecars struct{ lab.Sidecars }

func (fakeSidecars) FindProgram(context.Context, lab.Sidecar) error { return nil }

// Rules are there, for probes.
func (fakeHost) Rules(lab.Family) (lab.Rules, error) { return fakeRules{}, nil }

// Nftables are there, for probes.
func (fakeHost) Nftables() (lab.Nftables, error) { return nil, nil }

// VirtualServers are there, for probes.
func (fakeHost) VirtualServers() (lab.VirtualServers, error) { return nil, nil }

// BPF is there, for probes.
func (fakeHost) BPF() lab.BPF { return fakeBPF{} }

// fakeBPF has every hook, and attaches nothing.
type fakeBPF struct{ lab.BPF }

func (fakeBPF) Supports(context.Context, lab.BPFHook, lab.Family) error { return nil }

// fakeRules has every chain, and changes none.
type fakeRules struct{ lab.Rules }

func (fakeRules) HasChain(string, string) (bool, error) { return true, nil }
