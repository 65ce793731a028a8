package labtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// proxies are the programs that a fake host has.
var proxies = []string{
	"portlab", "nginx", "docker-proxy", "haproxy", "envoy", "caddy", "traefik", "socat", "systemd-socket-proxyd",
}

// Running gives the sidecar of that name, if it runs.
func (h *Host) Running(name string) (lab.Sidecar, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, ok := h.sidecars[name]
	return s, ok
}

// sidecars is the fake of [lab.Sidecars].
type sidecars struct{ h *Host }

func (s sidecars) Start(ctx context.Context, c lab.Sidecar) error {
	return s.change(ctx, "start "+c.Name, func() error {
		if _, ok := s.h.sidecars[c.Name]; ok {
			return fmt.Errorf("sidecar %s runs already", c.Name)
		}
		if err := s.h.checkSidecar(c); err != nil {
			return fmt.Errorf("sidecar %s: %w", c.Name, err)
		}
		s.h.sidecars[c.Name] = c
		return nil
	})
}

// FindProgram implements [lab.ProgramFinder].
func (s sidecars) FindProgram(_ context.Context, c lab.Sidecar) error {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if slices.Contains(s.h.programs, c.Program) {
		return nil
	}
	return &lab.UnsupportedError{What: c.Program, Reason: "there is no such program on the fake host", Remedy: "GiveProgram"}
}

func (s sidecars) Reload(ctx context.Context, c lab.Sidecar) error {
	return s.change(ctx, "reload "+c.Name, func() error {
		old, ok := s.h.sidecars[c.Name]
		if !ok {
			return fmt.Errorf("sidecar %s does not run", c.Name)
		}
		if c.ReloadSignal == 0 && !c.Watches {
			return fmt.Errorf("sidecar %s neither takes a signal to reload nor watches its files", c.Name)
		}
		if err := s.h.checkSidecar(c); err != nil {
			return fmt.Errorf("sidecar %s: %w", c.Name, err)
		}
		old.Files = c.Files
		if !reflect.DeepEqual(old, c) {
			return fmt.Errorf("sidecar %s: a reload gives it files and changes nothing else", c.Name)
		}
		s.h.sidecars[c.Name] = c
		return nil
	})
}

func (s sidecars) Stop(ctx context.Context, name string) error {
	return s.change(ctx, "stop "+name, func() error {
		delete(s.h.sidecars, name)
		return nil
	})
}

func (s sidecars) change(ctx context.Context, what string, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if err := s.h.mutate(what); err != nil {
		return err
	}
	return f()
}

// checkSidecar refuses a sidecar that no runtime could start.
func (h *Host) checkSidecar(c lab.Sidecar) error {
	if c.Name == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("a name has lower case letters, digits and hyphens, not %q", c.Name)
	}
	for _, program := range append([]string{c.Program}, c.Runs...) {
		if !slices.Contains(h.programs, program) {
			return fmt.Errorf("exec: %q: executable file not found in $PATH", program)
		}
	}
	if len(c.Runs) > 0 && !c.OnHost {
		return fmt.Errorf("%s is no image's, and it is to start %v", c.Program, c.Runs)
	}
	for name, text := range c.Files {
		if !filepath.IsLocal(name) || filepath.Base(name) != name {
			return fmt.Errorf("a file has a plain name, not %q", name)
		}
		if filepath.Ext(name) == ".json" && !json.Valid([]byte(text)) {
			return fmt.Errorf("file %s is no JSON: %s", name, text)
		}
	}
	return errors.Join(checkArgs(c), h.checkSockets(c))
}

// checkArgs refuses an argument that names a file that is not there.
func checkArgs(c lab.Sidecar) error {
	for _, a := range c.Args {
		_, rest, ok := strings.Cut(a, lab.SidecarDir)
		if !ok || strings.Trim(rest, "/") == "" {
			continue
		}
		if _, ok := c.Files[strings.TrimPrefix(rest, "/")]; !ok {
			return fmt.Errorf("argument %q names a file that is not among its files", a)
		}
	}
	return nil
}

func transportOf(s lab.Socket) string { return cmp.Or(s.Transport, "tcp") }

// checkSockets refuses what bind(2) refuses: an address that is not the host's,
// and one in use unless all who use it set SO_REUSEPORT.
func (h *Host) checkSockets(c lab.Sidecar) error {
	for _, k := range c.Sockets {
		if t := transportOf(k); t != "tcp" && t != "udp" {
			return fmt.Errorf("%q is no transport", t)
		}
		if !h.isLocal(k.Address.Addr()) {
			return fmt.Errorf("bind %s: cannot assign requested address", k.Address)
		}
		for _, other := range h.sidecars {
			for _, o := range other.Sockets {
				if other.Name != c.Name && o.Address == k.Address && transportOf(o) == transportOf(k) && !(o.ReusePort && k.ReusePort) {
					return fmt.Errorf("bind %s: address already in use (by sidecar %s)", k.Address, other.Name)
				}
			}
		}
	}
	return nil
}
