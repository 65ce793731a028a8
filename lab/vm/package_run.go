package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// run runs a program of apt's, and returns what it prints. If status is given,
// it reads the program's file descriptor 3. When ctx ends, the program is asked
// to end, and so cleans up after itself.
func (a *apt) run(ctx context.Context, status func(io.Reader), name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "APT_CONFIG="+filepath.Join(a.dir, "apt.conf"), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	// A terminal's ^C is for portlab, which then ends apt.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	done := func() error { return nil }
	if status != nil {
		var err error
		if done, err = watchStatus(c, status); err != nil {
			return "", err
		}
	}
	err := c.Run()
	if err := errors.Join(err, done()); err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(name), saidBy(err, errs.String()))
	}
	return out.String(), nil
}

// watchStatus gives a command a pipe as file descriptor 3, and lets status read
// it. What it returns must be called after the command has ended.
func watchStatus(c *exec.Cmd, status func(io.Reader)) (func() error, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.ExtraFiles = []*os.File{w}
	read := make(chan struct{})
	go func() {
		defer close(read)
		status(r)
	}()
	return func() error {
		err := w.Close()
		<-read
		return errors.Join(err, r.Close())
	}, nil
}

// said adds what a program wrote to its standard error to its end.
func said(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return saidBy(err, string(exit.Stderr))
	}
	return err
}

// saidBy adds the errors that a program told to its end: those of apt begin
// with "E: ", and warnings are left out where there is one.
func saidBy(err error, text string) error {
	var all, errs []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if problem, ok := strings.CutPrefix(line, "E: "); ok {
			errs = append(errs, problem)
		}
		if line != "" {
			all = append(all, line)
		}
	}
	if len(errs) == 0 {
		errs = all
	}
	if len(errs) == 0 {
		return err
	}
	return fmt.Errorf("%w: %s", err, strings.Join(errs, "; "))
}
