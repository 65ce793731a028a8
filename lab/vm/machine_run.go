package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Command is what to run in a machine.
type Command struct {
	Args           []string // the program, found by the machine's PATH, and its arguments
	Env            []string // beside the machine's own, as KEY=value
	Dir            string   // working folder; empty: the root
	Stdin          io.Reader
	Stdout, Stderr io.Writer // may be nil
}

// stopGrace is how long a command may take to end after SIGINT.
const stopGrace = 20 * time.Second

// commands counts those that were run, for their ids.
var commands atomic.Uint64

// Run runs a command in the machine and returns its exit status: 128 and the
// number of a signal that ended it, as a shell would. Several may run at once.
// When ctx ends, the command is sent SIGINT, with all of its process group, and
// may take its time, 20 seconds at most. A program that is not there is a
// [lab.UsageError].
func (m *Machine) Run(ctx context.Context, c Command) (status int, err error) {
	if len(c.Args) == 0 {
		return 0, lab.Usagef("say what to run in the machine")
	}
	if c.Dir == "" {
		c.Dir = "/"
	}
	id := strconv.FormatUint(commands.Add(1), 10)
	query := url.Values{"arg": c.Args, "env": c.Env, "dir": {c.Dir}, "id": {id}}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	stop := context.AfterFunc(ctx, func() { m.interrupt(running, id, end) })
	defer stop()
	r, err := m.ask(running, http.MethodPost, pathRun, query, c.Stdin)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	if r.StatusCode == http.StatusUnprocessableEntity {
		return 0, lab.Usagef("cannot run %s in the machine: %s", c.Args[0], reasonIn(r))
	}
	status, err = playBack(r.Body, orDiscard(c.Stdout), orDiscard(c.Stderr))
	if err != nil {
		return 0, m.broken(err)
	}
	return status, nil
}

// interrupt asks a command to end, and ends it when it does not.
func (m *Machine) interrupt(running context.Context, id string, end func()) {
	query := url.Values{"id": {id}, "signal": {strconv.Itoa(int(syscall.SIGINT))}}
	if r, err := m.ask(running, http.MethodPost, pathSignal, query, nil); err == nil {
		_ = r.Body.Close() // there is nothing in it
		select {
		case <-running.Done():
		case <-time.After(stopGrace):
		}
	}
	end()
}

// Fetch copies what is in a folder of the machine to a folder here, which it
// makes if need be: files and folders, and nothing else. It overwrites nothing.
func (m *Machine) Fetch(ctx context.Context, from, to string) error {
	r, err := m.ask(ctx, http.MethodGet, pathTree, url.Values{"dir": {from}}, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("fetch %s from the machine: %s", from, reasonIn(r))
	}
	if err := unpackTree(r.Body, to); err != nil {
		return fmt.Errorf("fetch %s from the machine: %w", from, err)
	}
	return nil
}

// connect makes the wire, and gives the end of it for QEMU to inherit. What
// is sent before the agent is there waits.
func (m *Machine) connect(ctx context.Context) (*os.File, error) {
	own, theirs, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Protocols:   onlyHTTP2(),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return own, nil },
	}
	if m.conn, err = t.NewClientConn(ctx, "http", "machine:80"); err != nil {
		return nil, errors.Join(fmt.Errorf("speak with the machine: %w", err), own.Close(), theirs.Close())
	}
	return theirs, nil
}

// await asks until the agent answers that something is ready, or the machine
// has ended, or it has taken too long.
func (m *Machine) await(ctx context.Context, path string, patience time.Duration) error {
	late, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("it was not ready within %s", patience))
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() { // a machine that has ended does not answer
		select {
		case <-m.qemu.done:
			cancel()
		case <-stop:
		}
	}()
	r, err := m.ask(late, http.MethodGet, path, nil, nil)
	if err == nil {
		defer r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return nil
		}
		err = errors.New(reasonIn(r))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-m.qemu.done:
		err = fmt.Errorf("QEMU ended: %s", m.qemu.cmd.ProcessState)
	default:
		if late.Err() != nil {
			err = context.Cause(late)
		}
	}
	return fmt.Errorf("the machine %s did not start: %w: give it more memory, or make its image again (%s)%s",
		m.image.Name, err, remedy(m.image.Name), m.qemu.testimony())
}

// ask sends a request to the agent.
func (m *Machine) ask(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "machine", Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	answer, err := m.conn.RoundTrip(r)
	if err != nil {
		return nil, m.broken(err)
	}
	return answer, nil
}

// endTime is how long QEMU may take to end after its sockets have.
const endTime = 2 * time.Second

// broken says what the machine said last, if it was its end that broke
// something off.
func (m *Machine) broken(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errRecord) {
		return err
	}
	select {
	case <-m.qemu.done:
		return fmt.Errorf("the machine has ended: %w%s", err, m.qemu.testimony())
	case <-time.After(endTime):
		return err
	}
}

// reasonBytes is as much as is read of why the agent refused.
const reasonBytes = 8 << 10

func reasonIn(r *http.Response) string {
	text, err := io.ReadAll(io.LimitReader(r.Body, reasonBytes))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(printable(string(text)))
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
