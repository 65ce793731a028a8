package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"github.com/portlab/portlab/lab"
)

// engine is a connection to a Docker engine on this machine.
type engine struct {
	provider *testcontainers.DockerProvider
	api      client.APIClient
	version  string // of the engine
	podman   bool   // the engine is Podman
	address  string // of its socket
	home     string // of the runs that this process makes on it
}

// connect finds the engine as testcontainers-go does: DOCKER_HOST, the current
// context, then the default socket. It returns an [lab.UnsupportedError] that
// says what to do if there is none, if it may not be used, or if it is on
// another machine.
func connect(ctx context.Context, network string) (*engine, error) {
	// The run's guard sweeps; the reaper's image may not be to be had. It is read
	// from the environment, once, when the first provider is made.
	if err := os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true"); err != nil {
		return nil, err
	}
	log.SetDefault(log.NewNoopLogger())
	if asked := os.Getenv("DOCKER_HOST"); asked != "" {
		if err := answers(ctx, asked); err != nil {
			return nil, err
		}
	}
	// With the run's own network as the default one, testcontainers-go attaches
	// containers to nothing else and makes no network of its own.
	p, err := testcontainers.NewDockerProvider(
		testcontainers.Generic2DockerOptions(testcontainers.WithLogger(log.NewNoopLogger()))[0],
		testcontainers.WithDefaultBridgeNetwork(network),
	)
	if err != nil {
		return nil, noEngine("", err)
	}
	home, err := lab.Home()
	if err != nil {
		return nil, err
	}
	e := &engine{provider: p, api: uncached(p.Client()), address: p.Client().DaemonHost(), home: home}
	if asked := os.Getenv("DOCKER_HOST"); asked != "" && asked != e.address {
		return nil, noEngine(asked, errors.New("DOCKER_HOST names it"))
	}
	if !strings.HasPrefix(e.address, unixScheme) {
		return nil, elsewhere(e.address)
	}
	if err := e.identify(ctx); err != nil {
		return nil, noEngine(e.address, err)
	}
	return e, e.sameMachine(ctx)
}

// identity is what an engine is.
type identity struct {
	version string
	podman  bool
}

// identities are those of engines by their addresses. Podman takes a second to
// say its version, since it asks each program that it uses; a run connects often.
var identities sync.Map

// identify finds out what the engine is, or that it does not answer.
func (e *engine) identify(ctx context.Context) error {
	if known, ok := identities.Load(e.address); ok {
		e.version, e.podman = known.(identity).version, known.(identity).podman
		_, err := e.api.Ping(ctx, client.PingOptions{})
		return err
	}
	v, err := e.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return err
	}
	e.version, e.podman = v.Version, slices.ContainsFunc(v.Components, func(c system.ComponentVersion) bool {
		return c.Name == podmanComponent
	})
	identities.Store(e.address, identity{e.version, e.podman})
	return nil
}

// uncached is the client inside that of testcontainers-go, which asks an engine
// about itself once only, whatever becomes of its swarm.
func uncached(c client.APIClient) client.APIClient {
	if wrapped, ok := c.(*testcontainers.DockerClient); ok {
		return wrapped.Client
	}
	return c
}

// unixScheme begins the address of an engine on this machine.
const unixScheme = "unix://"

// answers finds out whether something listens at an engine's address.
// testcontainers-go passes over an address that does not answer, and what it
// says then may be about the next one; nobody who names one wants another.
func answers(ctx context.Context, address string) error {
	path, ok := strings.CutPrefix(address, unixScheme)
	if !ok {
		return elsewhere(address)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return noEngine(address, err)
	}
	return conn.Close()
}

// elsewhere says that an engine is on another machine.
func elsewhere(address string) error {
	return &lab.UnsupportedError{
		What: "the docker runtime", Reason: "the engine at " + address + " is not on this machine, where the rules would be made",
		Remedy: "run portlab on the engine's machine, or unset DOCKER_HOST",
	}
}

// sameMachine makes sure that the engine's network is this machine's.
func (e *engine) sameMachine(ctx context.Context) error {
	info, err := e.provider.Client().Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("ask the engine at %s about itself: %w", e.address, err)
	}
	if slices.Contains(info.Info.SecurityOptions, "name=rootless") {
		return &lab.UnsupportedError{
			What: "the docker runtime", Reason: "the engine at " + e.address + " runs without root, and its network is another than this machine's",
			Remedy: "use an engine that runs as root, or --runtime netns, which takes none",
		}
	}
	if strings.Contains(info.Info.OperatingSystem, "Docker Desktop") {
		return &lab.UnsupportedError{
			What: "the docker runtime", Reason: "Docker Desktop runs its engine in a machine of its own, whose network is out of reach from here",
			Remedy: "run portlab inside a Linux VM, such as the one that `vagrant up` makes",
		}
	}
	return nil
}

// noEngine says why no engine can be used and what to do.
func noEngine(address string, err error) error {
	at := address
	if at == "" {
		at = "any of the usual places"
	}
	e := &lab.UnsupportedError{What: "the docker runtime"}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EACCES) || strings.Contains(err.Error(), "permission denied") {
		e.Reason = "this user may not use the engine at " + at
		e.Remedy = "run with sudo, or join the group docker: sudo usermod -aG docker $USER, then log in again"
		return e
	}
	e.Reason = "no Docker engine answers at " + at + ": " + oneLine(err)
	e.Remedy = "`make engine` installs and starts one on Debian and Ubuntu; elsewhere see https://docs.docker.com/engine/install/"
	return e
}

func oneLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
