package servers_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portlab/portlab/servers"
	"github.com/portlab/portlab/servers/wire"
)

// childVariable makes the test binary behave as one of children instead.
const childVariable = "PORTLAB_SERVERS_TEST_CHILD"

// patience bounds waits for what must happen; no assertion depends on it.
const patience = 20 * time.Second

var children = map[string]func(context.Context) error{
	"slow-start": slowStart,
	"serve":      serveFromEnv,
	"orphan":     pauseWithOrphan,
	"exec":       listenAndExec,
	"reader":     readGenerated,
}

func TestMain(m *testing.M) {
	child, ok := children[os.Getenv(childVariable)]
	if !ok {
		os.Exit(m.Run())
	}
	os.Exit(behaveAs(child))
}

// behaveAs runs a child until it ends or is told to, and returns its exit status.
func behaveAs(child func(context.Context) error) int {
	ctx, stop := servers.NotifyContext(context.Background())
	defer stop()
	err := child(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, servers.ErrConfig):
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Fprintln(os.Stderr, err)
	return 4
}

// slowStart is a server that has so much to do before it listens that it is
// told to end before.
func slowStart(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "starting")
	<-ctx.Done()
	return serveFromEnv(ctx)
}

// pauseWithOrphan is a PID 1 that inherits a process before it pauses.
func pauseWithOrphan(ctx context.Context) error {
	if err := exec.Command("sh", "-c", "sleep 0.1 &").Run(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "pausing")
	return servers.Pause(ctx)
}

// listenAndExec shows what file descriptors a program has that a server starts.
func listenAndExec(ctx context.Context) error {
	c, err := servers.ConfigFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	if _, err := servers.Listen(ctx, c, os.Stderr); err != nil {
		return err
	}
	return syscall.Exec("/bin/ls", []string{"ls", "-l", "/proc/self/fd"}, nil)
}

func serveFromEnv(ctx context.Context) error {
	c, err := servers.ConfigFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	return servers.Run(ctx, c, os.Stderr)
}

// reexec prepares the test binary as a child whose log is the buffer.
func reexec(t *testing.T, child string, env ...string) (*exec.Cmd, *buffer) {
	t.Helper()
	log := new(buffer)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), append(env, childVariable+"="+child)...)
	cmd.Stderr = log
	cmd.Stdout = log
	t.Cleanup(func() {
		if cmd.Process != nil && cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	return cmd, log
}

// buffer is a log that several goroutines may write and read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// await waits until the log has a line with this text.
func (b *buffer) await(t *testing.T, text string) {
	t.Helper()
	await(t, fmt.Sprintf("%q in the log", text), func() bool { return strings.Contains(b.String(), text) })
}

func await(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain for %s", patience, what)
		}
	}
}

// replica is a server under test.
type replica struct {
	*servers.Server
	log  *buffer
	stop context.CancelCauseFunc
	done chan error // what Serve returns
}

func config(instance string) servers.Config {
	return servers.Config{
		Instance: instance, Hosts: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, DrainTimeout: patience,
	}
}

// start starts a server and ends it with the test.
func start(t *testing.T, c servers.Config) *replica {
	t.Helper()
	ctx, stop := context.WithCancelCause(context.Background())
	r := &replica{log: new(buffer), stop: stop, done: make(chan error, 1)}
	var err error
	if r.Server, err = servers.Listen(ctx, c, r.log); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done <- r.Serve(ctx)
	}()
	t.Cleanup(func() {
		stop(errors.New("end of the test"))
		<-ended
	})
	return r
}

func (r *replica) address() string { return r.Addresses()[0].String() }

// client is one kept-alive connection.
type client struct {
	t *testing.T
	net.Conn
	answers *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, Conn: c, answers: bufio.NewReader(c)}
}

// ask sends a request and reads the header of its answer.
func (c *client) ask(target string) *http.Response {
	c.t.Helper()
	resp, err := c.begin(target)
	if err != nil {
		c.t.Fatalf("GET %s: %v", target, err)
	}
	return resp
}

// get sends a request and reads the whole answer.
func (c *client) get(target string) (*http.Response, string) {
	c.t.Helper()
	resp := c.ask(target)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("GET %s: body: %v", target, err)
	}
	return resp, string(body)
}

// try is get for any goroutine: it leaves the verdict to the caller.
func (c *client) try(target string) (*http.Response, error) {
	resp, err := c.begin(target)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp, err
}

func (c *client) begin(target string) (*http.Response, error) {
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: portlab.test\r\n\r\n", target); err != nil {
		return nil, err
	}
	return http.ReadResponse(c.answers, nil)
}

// answerOf is what a response says of its replica.
func answerOf(t *testing.T, resp *http.Response) wire.Answer {
	t.Helper()
	a, err := wire.Parse(resp.Header.Get(wire.Header))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// refused says whether nobody listens there any more.
func refused(address string) func() bool {
	return func() bool {
		c, err := net.DialTimeout("tcp", address, patience)
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}
}
