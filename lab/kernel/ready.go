package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/portlab/portlab/lab"
)

// readyTimeout is how long a sidecar may take until it listens: the longest is
// an API server on an emulated processor. One that has ended is noticed at once.
const readyTimeout = 90 * time.Second

// await returns when a started sidecar listens.
func (s *Sidecars) await(ctx context.Context, c lab.Sidecar, p *Process, status []*os.File) error {
	late := fmt.Errorf("it does not listen after %s", readyTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, late)
	defer cancel()
	var err error
	switch {
	case c.Status:
		err = awaitStatus(ctx, status[0])
	case len(c.Sockets) > 0:
		return nil
	default:
		err = s.awaitListener(ctx, p, cmp.Or(c.Transport, "tcp"))
	}
	if err == nil {
		return nil
	}
	return s.explain(ctx, p, err)
}

// explain adds to a failed start what the process said, and makes it a refusal
// where it said that its port is in use.
func (s *Sidecars) explain(ctx context.Context, p *Process, err error) error {
	said := p.Output()
	port, used, known := portInUse(err.Error() + "\n" + said)
	if said != "" && !strings.Contains(err.Error(), said) {
		err = fmt.Errorf("%w; it said: %s", err, said)
	}
	switch {
	case known:
		return inUse(context.WithoutCancel(ctx), s.ns, "bind the port", "tcp", port, err)
	case used:
		return &lab.RefusedError{What: "bind the port", Err: err}
	}
	return err
}

// awaitStatus reads docker-proxy's status pipe: "0\n" means ready, anything
// else is an error's text, and an end without a word is an early death.
func awaitStatus(ctx context.Context, pipe *os.File) error {
	defer pipe.Close()
	stop := context.AfterFunc(ctx, func() { _ = pipe.SetReadDeadline(time.Now()) })
	defer stop()
	var said []byte
	buf := make([]byte, 512)
	for string(said) != "0\n" {
		n, err := pipe.Read(buf)
		said = append(said, buf[:n]...)
		switch {
		case err == nil || string(said) == "0\n":
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, io.EOF):
			return fmt.Errorf("it ended before it was ready: %q", strings.TrimPrefix(string(said), "1\n"))
		default:
			return fmt.Errorf("read its status: %w", err)
		}
	}
	return nil
}

// awaitListener returns when the process, or one that it started, listens.
func (s *Sidecars) awaitListener(ctx context.Context, p *Process, transport string) error {
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		ok, err := sessionListens(ctx, s.ns, p.PID(), transport)
		if ok {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-p.Done():
			return p.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
