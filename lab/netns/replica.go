package netns

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// readyTimeout is how long a replica may take to listen, unless told otherwise.
const readyTimeout = 30 * time.Second

// startReplica starts a replica's process and returns when it listens.
func (f *fleet) startReplica(ctx context.Context, p plan) error {
	sockets, err := f.listen(ctx, p.sockets)
	if err != nil {
		return err
	}
	defer func() { _ = closeAll(sockets) }() // the process has its own
	ready := &listening{yes: make(chan struct{})}
	c := server(f.binary)
	c.Run, c.Env = f.spec.Run, append(p.environ(), kernel.EnvPlace+"="+p.instance, kernel.QuickStart)
	c.Files, c.Log = sockets, ready
	process, err := kernel.Start(ctx, f.namespace(p.where), c)
	if err != nil {
		return fmt.Errorf("start the replica %s: %w", p.instance, err)
	}
	f.mu.Lock()
	f.replicas[p.instance] = process
	f.mu.Unlock()
	if err := f.await(ctx, p, process, ready); err != nil || p.where == onHost {
		return err
	}
	return f.awaitLink(ctx, p)
}

// server is the program of a replica: http_server where it stands beside
// portlab's own binary, since it starts in half the time, else portlab itself.
func server(binary string) kernel.Command {
	self := binary
	if self == "" {
		self, _ = os.Executable() // without an answer there is nothing beside it
	}
	beside := filepath.Join(filepath.Dir(self), "http_server")
	if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return kernel.Command{Path: beside, Name: "http_server"}
	}
	return kernel.Command{Path: cmp.Or(binary, "/proc/self/exe"), Name: "portlab", Args: []string{"serve"}}
}

// listen gives the sockets that a replica inherits: of those of all, the fleet
// keeps the first ones, and a replica gets duplicates.
func (f *fleet) listen(ctx context.Context, at []lab.Socket) ([]*os.File, error) {
	if f.spec.Inherit != lab.InheritShared {
		return f.listenAnew(ctx, at)
	}
	f.sharing.Lock()
	defer f.sharing.Unlock()
	if f.shared == nil {
		made, err := f.listenAnew(ctx, at)
		if err != nil {
			return nil, err
		}
		f.shared = made
	}
	return duplicates(f.shared)
}

// duplicates are other descriptors of the same files.
func duplicates(files []*os.File) (open []*os.File, err error) {
	for _, f := range files {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("duplicate a socket: %w", err), closeAll(open))
		}
		open = append(open, os.NewFile(uintptr(fd), f.Name()))
	}
	return open, nil
}

// listenAnew makes sockets on the host.
func (f *fleet) listenAnew(ctx context.Context, at []lab.Socket) (open []*os.File, err error) {
	for _, s := range at {
		file, err := kernel.Listen(ctx, f.hostNS, s)
		if err != nil {
			return nil, errors.Join(err, closeAll(open))
		}
		open = append(open, file)
	}
	return open, nil
}

func closeAll(open []*os.File) error {
	var errs []error
	for _, f := range open {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// await returns when a replica listens, has ended, or has taken too long.
func (f *fleet) await(ctx context.Context, p plan, process *kernel.Process, ready *listening) error {
	timeout := time.NewTimer(cmp.Or(f.spec.ReadyTimeout, readyTimeout))
	defer timeout.Stop()
	select {
	case <-ready.yes:
		return nil
	case <-process.Done():
		return fmt.Errorf("start the replica %s: %w", p.instance, process.Err())
	case <-timeout.C:
		return fmt.Errorf("start the replica %s: it was not ready in time; it said: %q", p.instance, process.Output())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// listening is a log in which a server says when it listens.
type listening struct {
	yes  chan struct{}
	mu   sync.Mutex
	said []byte
	done bool
}

// Write implements io.Writer.
func (l *listening) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return len(p), nil
	}
	l.said = append(l.said, p...)
	if bytes.Contains(l.said, []byte(": listening on ")) {
		l.said, l.done = nil, true
		close(l.yes)
	}
	return len(p), nil
}
