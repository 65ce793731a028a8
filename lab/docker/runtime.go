package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// Options are what a [Runtime] must be told.
type Options struct {
	// Binary is the path of the project's own static binary, from which the
	// replicas' image is made; empty: the program that runs now.
	Binary string
}

// Runtime makes fleets of containers. It is a [lab.Runtime].
type Runtime struct{ binary string }

// New makes a runtime. It connects to no engine yet.
func New(o Options) *Runtime { return &Runtime{binary: o.Binary} }

// Name is "docker".
func (*Runtime) Name() string { return "docker" }

// Host is the machine itself. It returns an [lab.UnsupportedError] if no
// engine answers or it may not be used.
func (r *Runtime) Host(ctx context.Context) (lab.Host, error) {
	e, err := connect(ctx, defaultBridge)
	if err != nil {
		return nil, err
	}
	own, err := kernel.Own()
	if err != nil {
		return nil, err
	}
	return kernel.NewHost(own, programs{kernel.NewSidecars(own, "", r.binary), e}), nil
}

// Version is the engine's, such as "Docker 20.10.24" or "Podman Engine 4.3.1". It returns an
// [lab.UnsupportedError] if no engine answers or it may not be used.
func (r *Runtime) Version(ctx context.Context) (string, error) {
	e, err := connect(ctx, defaultBridge)
	if err != nil {
		return "", err
	}
	return e.name(), nil
}

// defaultBridge is the engine's own network: it is always there, so a
// connection that makes no container needs no other.
const defaultBridge = "bridge"

// Draft says what Open would make. Without an engine it fills in the addresses
// of a machine on which nothing else runs.
func (r *Runtime) Draft(ctx context.Context, spec lab.FleetSpec) (lab.Blueprint, error) {
	if err := validate(spec); err != nil {
		return lab.Blueprint{}, err
	}
	e, err := connect(ctx, defaultBridge)
	if errors.Is(err, lab.ErrUnsupported) {
		return draft(spec, layoutOf(0), cmp.Or(spec.Port, firstPort), client.DefaultDockerHost), nil
	}
	if err != nil {
		return lab.Blueprint{}, err
	}
	l, slot, err := takeSlot(ctx, e)
	if err != nil {
		return lab.Blueprint{}, err
	}
	defer slot.Close()
	port, claim, err := takePort(ctx, spec)
	if err != nil {
		return lab.Blueprint{}, err
	}
	defer claim.Close()
	return draft(spec, l, port, e.address), nil
}

// Open makes the network, the external client and the replicas.
func (r *Runtime) Open(ctx context.Context, spec lab.FleetSpec) (lab.Fleet, error) {
	if err := r.Supports(spec); err != nil {
		return nil, err
	}
	e, err := connect(ctx, spec.Run.Object("net"))
	if err != nil {
		return nil, err
	}
	f := &fleet{engine: e, spec: spec, binary: r.binary}
	if err := f.open(ctx); err != nil {
		return nil, errors.Join(err, lab.Unclean(f.Close(ctx)))
	}
	return f, nil
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// Supports implements [lab.Runtime].
func (*Runtime) Supports(spec lab.FleetSpec) error {
	if err := validate(spec); err != nil {
		return err
	}
	elsewhere := spec.Client.IsValid() || spec.Vantage == lab.OnHost && spec.FrontAddress.IsValid()
	if spec.Vantage != "" && spec.Vantage != lab.Localhost && !elsewhere && !kernel.HasNetAdmin() {
		return noClient(spec.Vantage)
	}
	if err := checkLink(spec); err != nil {
		return err
	}
	return kernel.CheckSources(spec.Vantage, lab.IPv4, spec.Clients)
}

// validate is what can be told without regard to the user.
func validate(spec lab.FleetSpec) error {
	switch {
	case spec.Family == lab.IPv6:
		return &lab.UnsupportedError{
			What: "--ip 6", Reason: "the docker runtime makes IPv4 networks only",
			Remedy: "use --runtime netns, or leave --ip out",
		}
	case spec.SharedAddress:
		return &lab.UnsupportedError{
			What: "an address that all replicas share", Reason: "an engine gives each container an address of its own",
			Remedy: "use --runtime netns",
		}
	case spec.OwnHost:
		return &lab.UnsupportedError{
			What: "the docker runtime", Reason: "its host is this machine, and what is asked for would change it beyond the front of the run",
			Remedy: "choose --runtime netns",
		}
	case spec.Inherit != lab.InheritNone:
		return &lab.UnsupportedError{
			What: "inherited sockets", Reason: "an engine hands no listening socket to a container",
			Remedy: "use --runtime netns",
		}
	case spec.Publish.OfService() && spec.Replicas > maxTasks:
		return tooManyTasks(spec.Replicas)
	case spec.Replicas > maxReplicas:
		return lab.Usagef("the docker runtime starts at most %d replicas, not %d", maxReplicas, spec.Replicas)
	case spec.Image == "" && spec.ImagePort != 0:
		return lab.Usagef("a port of an image was given, but no image: add --image")
	}
	return checkFront(spec)
}

// noClient says at once what would fail only after containers were started.
func noClient(v lab.Vantage) error {
	return &lab.UnsupportedError{
		What:   "vantage " + string(v),
		Reason: "a client there needs CAP_NET_ADMIN, which this user does not have",
		Remedy: "run with sudo, use --runtime netns, or choose --vantage localhost",
	}
}

// closers are released in reverse order, all of them whatever fails.
type closers []io.Closer

func (c *closers) add(x io.Closer) { *c = append(*c, x) }

func (c *closers) close() error {
	var errs []error
	for _, x := range slices.Backward(*c) {
		errs = append(errs, x.Close())
	}
	*c = nil
	return errors.Join(errs...)
}

// ownBinary is the path of the project's static binary.
func ownBinary(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program's own file: %w", err)
	}
	return path, nil
}
