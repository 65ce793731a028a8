package kernel

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/portlab/portlab/lab"
)

// Sidecars implements [lab.Sidecars] by processes in a namespace. It is safe
// for concurrent use.
type Sidecars struct {
	ns      *Namespace
	run     lab.RunID
	portlab string

	mu      sync.Mutex
	running map[string]*sidecar
	origins map[string]string // by program: its version, and where it was found
}

// sidecar is one that runs.
type sidecar struct {
	*Process
	after *Command // to be run once it has ended; may be nil
}

// NewSidecars starts sidecars in a namespace on behalf of a run. The program
// that sidecars call portlab is at the path given; empty: this very program.
func NewSidecars(ns *Namespace, run lab.RunID, portlab string) *Sidecars {
	if portlab == "" {
		portlab = "/proc/self/exe"
	}
	return &Sidecars{ns: ns, run: run, portlab: portlab, running: map[string]*sidecar{}, origins: map[string]string{}}
}

// Start implements [lab.Sidecars]. A sidecar that inherits its sockets listens
// from the start: what connects before it accepts, waits. One that makes its
// own has ten seconds to do so. A port that is in use is a [lab.RefusedError]
// that says by whom, and a program that is not there a [lab.UnsupportedError].
func (s *Sidecars) Start(ctx context.Context, c lab.Sidecar) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[c.Name] != nil {
		return fmt.Errorf("start %s: a sidecar of this name is running", c.Name)
	}
	p, err := s.start(ctx, c)
	if err != nil {
		return errors.Join(fmt.Errorf("start %s: %w", c.Name, err), RemoveFiles(s.run, c.Name))
	}
	s.running[c.Name] = p
	return nil
}

func (s *Sidecars) start(ctx context.Context, c lab.Sidecar) (*sidecar, error) {
	dir, err := WriteFiles(s.run, c)
	if err != nil {
		return nil, err
	}
	program, err := s.program(ctx, c)
	if err != nil {
		return nil, err
	}
	path, err := s.path(ctx, c)
	if err != nil {
		return nil, err
	}
	program, args, env := activated(c, program, inDir(c.Args, dir))
	fds, status, err := s.inherited(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := Start(ctx, s.ns, Command{
		Run: s.run, Path: program, Args: args, Env: append(env, path...), Dir: dir, Files: fds,
	})
	closeAll(fds) // the process has its own
	if err != nil {
		closeAll(status)
		return nil, err
	}
	if err := s.await(ctx, c, p, status); err != nil {
		return nil, errors.Join(err, p.Stop(ctx))
	}
	x := &sidecar{Process: p}
	if len(c.AfterStop) > 0 {
		x.after = &Command{Run: s.run, Path: program, Args: inDir(c.AfterStop, dir), Dir: dir}
	}
	return x, nil
}

// afterwards runs what a sidecar is to be followed by, to its end.
func (s *Sidecars) afterwards(ctx context.Context, c *Command) error {
	if c == nil {
		return nil
	}
	p, err := Start(ctx, s.ns, *c)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), p.Stop(ctx))
	}
	if !p.Succeeded() {
		return fmt.Errorf("run %s %s: %w", c.Path, strings.Join(c.Args, " "), p.Err())
	}
	return nil
}

// inherited are the files that a sidecar inherits, and the end of its status
// pipe that is read here, if it has one.
func (s *Sidecars) inherited(ctx context.Context, c lab.Sidecar) (fds, status []*os.File, err error) {
	if c.Status {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, nil, fmt.Errorf("make a status pipe: %w", err)
		}
		fds, status = []*os.File{w}, []*os.File{r}
	}
	for _, socket := range c.Sockets {
		f, err := Listen(ctx, s.ns, socket)
		if err != nil {
			closeAll(fds)
			closeAll(status)
			return nil, nil, err
		}
		fds = append(fds, f)
	}
	return fds, status, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // nothing was written to it
	}
}

// activated has a program start with the variables of sd_listen_fds(3), if it
// wants them. Its own process id is among them, which only the process itself
// knows before it executes the program: a shell sets it.
func activated(c lab.Sidecar, program string, args []string) (string, []string, []string) {
	if !c.Activated {
		return program, args, nil
	}
	args = append([]string{"-c", `LISTEN_PID=$$ exec "$@"`, "sh", program}, args...)
	return "/bin/sh", args, []string{"LISTEN_FDS=" + strconv.Itoa(len(c.Sockets))}
}

func (s *Sidecars) program(ctx context.Context, c lab.Sidecar) (string, error) {
	if c.Program == "portlab" {
		return s.portlab, nil
	}
	return s.find(ctx, c.Program, c.VersionFlag)
}

// find is where a program is on this machine, whose version is noted.
func (s *Sidecars) find(ctx context.Context, program, versionFlag string) (string, error) {
	path, err := lab.FindProgram(program)
	if err == nil && s.origins[program] == "" {
		s.origins[program] = VersionOf(ctx, path, versionFlag) + " at " + path
	}
	return path, err
}

// path is the variable PATH of a sidecar that runs other programs.
func (s *Sidecars) path(ctx context.Context, c lab.Sidecar) ([]string, error) {
	var folders []string
	for _, program := range c.Runs {
		at, err := s.find(ctx, program, "")
		if err != nil {
			return nil, err
		}
		folders = append(folders, filepath.Dir(at))
	}
	if len(folders) == 0 {
		return nil, nil
	}
	return []string{"PATH=" + strings.Join(append(folders, os.Getenv("PATH")), string(os.PathListSeparator))}, nil
}

// FindProgram implements [lab.ProgramFinder].
func (s *Sidecars) FindProgram(_ context.Context, c lab.Sidecar) error {
	for _, program := range append([]string{c.Program}, c.Runs...) {
		if program == "portlab" {
			continue
		}
		if _, err := lab.FindProgram(program); err != nil {
			return err
		}
	}
	return nil
}

// Origins are the programs of the sidecars so far, each with its version and
// where it was found; portlab itself is not among them.
func (s *Sidecars) Origins() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.origins)
}

// Reload implements [lab.Sidecars]. One that takes no signal and does not watch
// its files is stopped and started again.
func (s *Sidecars) Reload(ctx context.Context, c lab.Sidecar) error {
	if c.ReloadSignal == 0 && !c.Watches {
		if err := s.Stop(ctx, c.Name); err != nil {
			return err
		}
		return s.Start(ctx, c)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.running[c.Name]
	if p == nil {
		return fmt.Errorf("reload %s: no sidecar of this name is running", c.Name)
	}
	select {
	case <-p.Done():
		return fmt.Errorf("reload %s: %w", c.Name, p.Err())
	default:
	}
	if _, err := WriteFiles(s.run, c); err != nil {
		return err
	}
	if c.Watches {
		return nil
	}
	if err := AwaitHeed(ctx, p.PID(), c.ReloadSignal); err != nil {
		return fmt.Errorf("reload %s: %w", c.Name, err)
	}
	return p.Signal(c.ReloadSignal)
}

// Stop implements [lab.Sidecars].
func (s *Sidecars) Stop(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.running[name]; p != nil {
		if err := p.Stop(ctx); err != nil {
			return err
		}
		delete(s.running, name)
		if err := s.afterwards(ctx, p.after); err != nil {
			return err
		}
	}
	return RemoveFiles(s.run, name)
}

// KillAll ends the sidecars that run at once, with nothing drained and nothing
// taken back: their namespace is about to go. It is idempotent, and joins errors.
func (s *Sidecars) KillAll() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for name, p := range s.running {
		p.Kill()
		delete(s.running, name)
		errs = append(errs, RemoveFiles(s.run, name))
	}
	return errors.Join(errs...)
}
