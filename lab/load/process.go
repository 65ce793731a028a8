package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

// ClientWord is the only argument of the process that [Process] starts.
const ClientWord = "client"

// logKept is how much of that process's standard error is kept, in bytes.
const logKept = 4 << 10

// stopGrace is how long that process may take to end when it is told to.
const stopGrace = 2 * time.Second

// pipeSize is what the pipe of samples is to hold: the most that a user without
// privilege may ask for by default (pipe(7), pipe-max-size). The client then
// need not wait for a reader that is late by some ten thousand samples.
const pipeSize = 1 << 20

// Process is a driver that runs another one in a process of its own, in the
// network namespace of the client's place, so that the client's processor time
// is known apart from everything else's. The program that it starts must call
// [Child] when its only argument is [ClientWord].
//
// The plan goes there on its standard input, which then stays open: the process
// ends when it closes, and so also when this one dies. The samples come back
// on its standard output in the form of lab/samples while the load lasts, and
// after them what the driver says of itself. At the place of a [Remote] it is on
// that machine, with ssh(1) in between, and CPUs and Env are ssh's.
type Process struct {
	Driver string   // one of [Drivers], or [Auto]
	CPUs   []int    // that the process is bound to; none: it is not
	Env    []string // beside this process's own environment, as KEY=value
	Path   string   // of the program; empty: this one
}

// order is what the process is told.
type order struct {
	Driver  string           `json:"driver"`
	Plan    lab.Plan         `json:"plan"`
	Targets []netip.AddrPort `json:"targets"`
	Sources []netip.Addr     `json:"sources,omitempty"` // that its place offers
	CPUs    []int            `json:"cpus,omitempty"`
}

// Drive implements lab.Driver. A plan that the driver cannot carry out starts
// nothing. When ctx ends, the process is told to stop, and killed if it does
// not; it has always ended when Drive returns.
func (d Process) Drive(ctx context.Context, at lab.Place, p lab.Plan, to []netip.AddrPort, emit func(lab.Sample)) (lab.Client, error) {
	if err := p.Validate(); err != nil {
		return lab.Client{}, err
	}
	remote, away := at.(*Remote)
	name, err := choose(ctx, d.Driver, p, !away)
	if err != nil {
		return lab.Client{}, err
	}
	o := order{Driver: name, Plan: p, Targets: to, CPUs: d.CPUs}
	if place, ok := at.(lab.SourcePlace); ok && p.Clients > 1 {
		o.Sources = place.Sources()
	}
	cmd, err := d.command(at)
	if err != nil {
		return lab.Client{Driver: name}, err
	}
	c, err := startChild(ctx, at, cmd, d.CPUs)
	if err != nil {
		return lab.Client{Driver: name}, err
	}
	unwatch := context.AfterFunc(ctx, c.stop)
	defer unwatch()
	said, err := c.converse(o, emit, away)
	ended := c.wait()
	switch {
	case err == nil:
		if away {
			said.Client.Machine = &remote.Machine
		}
		return said.Client, said.Problem.err(ctx)
	case ctx.Err() != nil:
		return lab.Client{Driver: name}, ctx.Err()
	case ended != nil:
		return lab.Client{Driver: name}, fmt.Errorf("the client's process %w", ended)
	}
	return lab.Client{Driver: name}, fmt.Errorf("hear from the client's process: %w", err)
}

// child is a process that was started.
type child struct {
	cmd    *exec.Cmd
	orders *os.File    // its standard input
	answer *os.File    // its standard output
	log    *headWriter // of its standard error: there a program that crashes says why
	done   chan struct{}
}

// startChild starts a process at a place, bound to CPUs if there are some.
func startChild(ctx context.Context, at lab.Place, cmd *exec.Cmd, cpus []int) (*child, error) {
	stdin, orders, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer stdin.Close() // the process has its own
	answer, stdout, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a pipe: %w", err), orders.Close())
	}
	defer stdout.Close()
	enlarge(answer)
	c := &child{cmd: cmd, orders: orders, answer: answer, log: &headWriter{most: logKept}, done: make(chan struct{})}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = stdin, stdout, c.log
	if err := at.Do(ctx, func() error { return bound(cpus, c.cmd.Start) }); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", cmd.Path, err), orders.Close(), answer.Close())
	}
	return c, nil
}

// enlarge gives a pipe more room, if it may be had: less only has the client
// wait more often.
func enlarge(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
}

// command is the process as it is started: here, or on another machine.
func (d Process) command(at lab.Place) (*exec.Cmd, error) {
	path := d.Path
	if path == "" {
		path = "/proc/self/exe"
	}
	cmd := attended(path, ClientWord)
	cmd.Args[0] = os.Args[0]
	if r, away := at.(*Remote); away {
		var err error
		if cmd, err = r.client(); err != nil {
			return nil, err
		}
	}
	cmd.Env = append(os.Environ(), d.Env...)
	return cmd, nil
}

// attended is a program that ends when its standard input does.
func attended(path string, args ...string) *exec.Cmd {
	// No context: it would kill, where the process is to stop and say what it did.
	cmd := exec.Command(path, args...) //nolint:noctx // see above
	// A process group of its own: Ctrl-C is for the run alone, which stops this
	// process. Not a session: the scheduler would set it apart from the server
	// (sched(7), autogroup), which cost a fifth more processor time and a
	// twentieth of the rate with connections that are kept. A signal at the parent's death (prctl(2)) would come when the
	// thread ends that started it, which is not kept.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // a child of it may keep the standard error open
	return cmd
}

// converse tells the process what to do and hears all that it has to say.
// Where it is on another machine, its shell may have spoken before it.
func (c *child) converse(o order, emit func(lab.Sample), away bool) (saying, error) {
	var said saying
	if err := json.NewEncoder(c.orders).Encode(o); err != nil {
		return said, err
	}
	in := bufio.NewReaderSize(c.answer, pipeSize)
	if away {
		if err := skip(in); err != nil {
			return said, err
		}
	}
	r, err := samples.NewReader(in)
	if err != nil {
		return said, err
	}
	for s := range r.All() {
		emit(s)
	}
	if err := r.Err(); err != nil {
		return said, err
	}
	return said, json.NewDecoder(in).Decode(&said)
}

// stop has the process end, and kills it if it takes too long.
func (c *child) stop() {
	_ = c.orders.Close() // it may be closed already
	select {
	case <-c.done:
	case <-time.After(stopGrace):
		_ = unix.Kill(-c.cmd.Process.Pid, unix.SIGKILL)
	}
}

// wait returns when the process has ended, and says how if it did not end well.
func (c *child) wait() error {
	// Where it was not heard to its end, it must not go on.
	_ = c.answer.Close()
	go c.stop()
	err := c.cmd.Wait()
	close(c.done)
	if err == nil {
		return nil
	}
	if text := string(c.log.kept); text != "" {
		return fmt.Errorf("ended: %w; it said: %s", err, text)
	}
	return fmt.Errorf("ended: %w", err)
}
