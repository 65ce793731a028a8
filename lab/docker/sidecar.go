package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// sidecarDir is where a sidecar's files are inside its container.
const sidecarDir = "/etc/portlab"

// sidecarTimeout is how long a sidecar may take to listen.
const sidecarTimeout = 30 * time.Second

// sidecars are containers in the host's network, where they listen at the
// front and nowhere else; those that need more of the host are processes. It
// implements [lab.Sidecars].
type sidecars struct {
	fleet  *fleet
	onHost *kernel.Sidecars

	mu      sync.Mutex
	running map[string]testcontainers.Container // by the sidecar's name
	origin  map[string]string                   // where a program came from, and its version
	images  map[string]string                   // that were packed, by program
}

func newSidecars(f *fleet) *sidecars {
	return &sidecars{
		fleet: f, running: map[string]testcontainers.Container{}, images: map[string]string{},
		origin: map[string]string{},
		onHost: kernel.NewSidecars(f.own, f.spec.Run, f.binary),
	}
}

// Start starts a sidecar and waits until it listens.
func (s *sidecars) Start(ctx context.Context, x lab.Sidecar) error {
	if x.OnHost {
		return s.onHost.Start(ctx, x)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[x.Name] != nil {
		return fmt.Errorf("a sidecar %s is running already", x.Name)
	}
	image, entrypoint, err := s.image(ctx, x)
	if err != nil {
		return err
	}
	p := plan{name: s.fleet.spec.Run.Object(x.Name), image: image, command: arguments(x), join: "host"}
	front := s.fleet.Blueprint().Front.Endpoints()
	give, err := s.give(x)
	if err != nil {
		return err
	}
	c, err := s.fleet.startWith(ctx, p, ready{timeout: sidecarTimeout, ask: s.listening(x, front[0])}, func(r *testcontainers.ContainerRequest) {
		r.Entrypoint = entrypoint
		give(r)
		for _, path := range x.Shares {
			mount(r, path+":"+path)
		}
	})
	if err != nil {
		return errors.Join(err, kernel.RemoveFiles(s.fleet.spec.Run, x.Name))
	}
	s.running[x.Name] = c
	return nil
}

// listening asks whether a sidecar listens at an address. UDP has no handshake:
// whoever has the port has bound it.
func (s *sidecars) listening(x lab.Sidecar, at netip.AddrPort) func(context.Context) error {
	if x.Transport != "udp" {
		return accepting(at)
	}
	return func(ctx context.Context) error {
		owners, err := kernel.WhoListens(ctx, s.fleet.own, x.Transport, at.Port())
		if err == nil && len(owners) == 0 {
			err = fmt.Errorf("nobody has bound UDP port %d", at.Port())
		}
		return err
	}
}

// give is how a container gets a sidecar's files: by a copy or, where the
// program watches them, in a folder of this machine, since what a copy replaces
// is not renamed into place.
func (s *sidecars) give(x lab.Sidecar) (func(*testcontainers.ContainerRequest), error) {
	if !x.Watches {
		return func(r *testcontainers.ContainerRequest) { r.Files = files(x) }, nil
	}
	dir, err := kernel.WriteFiles(s.fleet.spec.Run, inContainer(x))
	if err != nil {
		return nil, err
	}
	return func(r *testcontainers.ContainerRequest) { mount(r, dir+":"+sidecarDir+":ro") }, nil
}

// mount gives a container files or folders of this machine, as --volume of
// docker-run(1) has them.
func mount(r *testcontainers.ContainerRequest, volumes ...string) {
	before := r.HostConfigModifier
	r.HostConfigModifier = func(h *container.HostConfig) {
		before(h)
		h.Binds = append(h.Binds, volumes...)
	}
}

// inContainer is a sidecar whose files name their folder as its container has it.
func inContainer(x lab.Sidecar) lab.Sidecar {
	named := make(map[string]string, len(x.Files))
	for name, text := range x.Files {
		named[name] = strings.ReplaceAll(text, lab.SidecarDir, sidecarDir)
	}
	x.Files = named
	return x
}

// Reload gives a sidecar its new files and has it read them.
func (s *sidecars) Reload(ctx context.Context, x lab.Sidecar) error {
	if x.OnHost {
		return s.onHost.Reload(ctx, x)
	}
	s.mu.Lock()
	c := s.running[x.Name]
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("there is no sidecar %s to reload", x.Name)
	}
	switch {
	case x.Watches:
		_, err := kernel.WriteFiles(s.fleet.spec.Run, inContainer(x))
		return err
	case x.ReloadSignal == 0:
		return errors.Join(s.Stop(ctx, x.Name), s.Start(ctx, x))
	}
	for _, f := range files(x) {
		var b bytes.Buffer
		if _, err := b.ReadFrom(f.Reader); err != nil {
			return err
		}
		if err := c.CopyToContainer(ctx, b.Bytes(), f.ContainerFilePath, f.FileMode); err != nil {
			return fmt.Errorf("give %s its new %s: %w", x.Name, f.ContainerFilePath, err)
		}
	}
	if number, err := pid(ctx, c); err != nil {
		return err
	} else if err := kernel.AwaitHeed(ctx, number, x.ReloadSignal); err != nil {
		return fmt.Errorf("reload %s: %w", x.Name, err)
	}
	signal := unix.SignalName(x.ReloadSignal)
	_, err := s.fleet.engine.api.ContainerKill(ctx, c.GetContainerID(), client.ContainerKillOptions{Signal: signal})
	if err != nil {
		return fmt.Errorf("send %s to %s: %w", signal, x.Name, err)
	}
	return nil
}

// Stop ends a sidecar; no error if there is none.
func (s *sidecars) Stop(ctx context.Context, name string) error {
	if err := s.onHost.Stop(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.running[name]
	if c == nil {
		return nil
	}
	if err := s.fleet.remove(ctx, c, 0); err != nil {
		return err
	}
	delete(s.running, name)
	return kernel.RemoveFiles(s.fleet.spec.Run, name)
}

func (s *sidecars) stopAll(ctx context.Context) error {
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.running))
	s.mu.Unlock()
	var errs []error
	for _, name := range names {
		errs = append(errs, s.Stop(ctx, name))
	}
	return errors.Join(errs...)
}

func arguments(x lab.Sidecar) []string {
	var args []string
	for _, a := range x.Args {
		args = append(args, strings.ReplaceAll(a, lab.SidecarDir, sidecarDir))
	}
	return args
}

func files(x lab.Sidecar) []testcontainers.ContainerFile {
	var all []testcontainers.ContainerFile
	named := inContainer(x).Files
	for _, name := range slices.Sorted(maps.Keys(named)) {
		all = append(all, testcontainers.ContainerFile{
			Reader: strings.NewReader(named[name]), ContainerFilePath: path.Join(sidecarDir, name), FileMode: 0o644,
		})
	}
	return all
}
