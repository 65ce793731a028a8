package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"sync"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers"
)

// fakeRuntime is a runtime without an engine or privilege: its replicas are
// servers of this very process on 127.0.0.1, so that the strategies that
// change nothing on the host can run from the vantage host.
type fakeRuntime struct {
	noEngine bool // nothing works
	dies     bool // Open breaks on the way
	refuses  bool // Open is refused
	silent   bool // the last replica is given no connection
	// opening is called when Open is, which then lasts until it is interrupted.
	opening func()
}

// fakeFrom is the fake that the variable FAKE of a script asks for.
func fakeFrom(getenv func(string) string) *fakeRuntime {
	word := getenv("FAKE")
	return &fakeRuntime{
		noEngine: word == "no-engine", dies: word == "dies", refuses: word == "refuses",
		silent: word == "silent",
	}
}

func (*fakeRuntime) Name() string { return "fake" }

func (*fakeRuntime) Supports(lab.FleetSpec) error { return nil }

func (r *fakeRuntime) Host(context.Context) (lab.Host, error) {
	if r.noEngine {
		return nil, &lab.UnsupportedError{What: "the fake runtime", Reason: "no engine answers", Remedy: "start one"}
	}
	return fakeHost{}, nil
}

func (r *fakeRuntime) Draft(_ context.Context, spec lab.FleetSpec) (lab.Blueprint, error) {
	b := lab.Blueprint{
		Facts: lab.Facts{Run: spec.Run, Family: lab.IPv4, Bridge: "br0"},
		Front: lab.Front{Address: fakeAddress, Loopback: fakeAddress, Port: max(spec.Port, 8080)},
		Shell: []string{"start replicas"}, Undo: []string{"stop replicas"},
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

func (fakeHost) Rules(lab.Family) (lab.Rules, error) {
	return nil, &lab.UnsupportedError{Reason: "nothing may be changed on the fake host", Remedy: "choose a strategy that changes nothing"}
}
