package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// stopGrace is how long a process may take to end after SIGTERM.
const stopGrace = 5 * time.Second

// Command is a program to start in a namespace.
type Command struct {
	Run   lab.RunID
	Path  string
	Name  string     // that it is called by, for people who list processes; empty: its path
	Args  []string   // without the program's own name
	Env   []string   // beside this process's own, as KEY=value
	Dir   string     // working folder; empty: this process's own
	Files []*os.File // inherited, from file descriptor 3 on
	Log   io.Writer  // gets standard output and standard error; may be nil
}

// Process is a started program, in a session of its own (setsid(2)).
type Process struct {
	cmd  *exec.Cmd
	end  *Tail
	done chan struct{}
	err  error // of Wait; valid once done is closed
}

// Start starts a program at a place, such as a [Namespace]. Its environment
// carries the run's id, so that [Traces] finds it and what it starts. It lives
// on when ctx ends, which only bounds the start.
func Start(ctx context.Context, at lab.Place, c Command) (*Process, error) {
	marks, err := RunEnv(c.Run)
	if err != nil {
		return nil, err
	}
	p := &Process{end: &Tail{}, done: make(chan struct{})}
	p.cmd = exec.Command(c.Path, c.Args...)
	if c.Name != "" {
		p.cmd.Args[0] = c.Name
	}
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Env = append(p.cmd.Env, marks...)
	p.cmd.Dir, p.cmd.ExtraFiles = c.Dir, c.Files
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p.cmd.WaitDelay = time.Second // a child of it may keep the output open
	var out io.Writer = p.end
	if c.Log != nil {
		out = io.MultiWriter(p.end, c.Log)
	}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := at.Do(ctx, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	go p.wait()
	return p, nil
}

func (p *Process) wait() {
	p.err = p.cmd.Wait()
	// What the program leaves running in its session goes with it.
	_ = unix.Kill(-p.PID(), unix.SIGKILL)
	close(p.done)
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended, with the end of its output. It is only valid
// once Done is closed.
func (p *Process) Err() error {
	how := "it ended with exit status 0"
	if p.err != nil {
		how = "it ended: " + p.err.Error()
	}
	if text := p.Output(); text != "" {
		how += "; it said: " + text
	}
	return errors.New(how)
}

// Succeeded says whether the process ended with exit status 0. It is only valid
// once Done is closed.
func (p *Process) Succeeded() bool { return p.err == nil }

// Output is the end of what the process wrote: 8 KiB at most.
func (p *Process) Output() string { return p.end.String() }

// Signal sends a signal to the process itself, and not to its children.
func (p *Process) Signal(sig syscall.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send signal %d to process %d: %w", sig, p.PID(), err)
	}
	return nil
}

// Stop is [Process.StopWithin] five seconds.
func (p *Process) Stop(ctx context.Context) error { return p.StopWithin(ctx, stopGrace) }

// StopWithin ends the process and all that it started in its process group:
// SIGTERM first, and SIGKILL after a time of grace or when ctx ends. It is
// idempotent.
func (p *Process) StopWithin(ctx context.Context, grace time.Duration) error {
	if err := p.Signal(unix.SIGTERM); err != nil {
		return err
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
	case <-ctx.Done():
	}
	p.Kill()
	return nil
}

// Kill ends the process and all that it started in its process group at once,
// by SIGKILL, and returns when it has ended. It is idempotent.
func (p *Process) Kill() {
	select {
	case <-p.done: // its number may be another's by now
	default:
		_ = unix.Kill(-p.PID(), unix.SIGKILL)
		<-p.done
	}
}
