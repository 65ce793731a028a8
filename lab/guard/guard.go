package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/portlab/portlab/lab"
)

// envGuard makes a program of this project a guard: see [Child].
const envGuard = "PORTLAB_GUARD"

// guardPatience is how long a guard may take to start and to end.
const guardPatience = 10 * time.Second

// Guard watches over one run. It is the run's [lab.Journal].
type Guard struct {
	journal journal
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the guard's process is gone
	live    *Hold

	mu   sync.Mutex
	conn *net.UnixConn // nil once closed
}

// Start makes a run known to be alive, and starts its guard: this very program
// once more, with the arguments given, in a session of its own. It returns
// when the guard watches. It is an error if the run has a guard already. The
// program must call [Child] first of all.
func Start(ctx context.Context, run lab.RunID, args ...string) (*Guard, error) {
	if os.Getenv(envGuard) != "" {
		return nil, errors.New("start a guard: this process is one itself, and should have called guard.Child")
	}
	live, err := take(runName(run))
	if err != nil {
		return nil, fmt.Errorf("make the run %s known to be alive: %w", run, err)
	}
	g := &Guard{journal: journal{run: run}, ended: make(chan struct{}), live: live}
	if err := g.launch(run, args); err != nil {
		return nil, errors.Join(err, live.conn.Close())
	}
	if err := g.await(ctx); err != nil {
		return nil, errors.Join(err, g.Close(ctx))
	}
	g.register()
	return g, nil
}

func (g *Guard) launch(run lab.RunID, args []string) error {
	here, there, err := pair()
	if err != nil {
		return err
	}
	defer there.Close()
	// No context: the guard is there for the time after every context has ended.
	g.cmd = exec.Command("/proc/self/exe", args...) //nolint:noctx // see above
	g.cmd.Args[0] = "portlab"
	g.cmd.Env = append(withoutOurs(os.Environ()), envGuard+"="+string(run))
	g.cmd.Dir = "/"
	g.cmd.ExtraFiles = []*os.File{there}
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := g.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start the guard: %w", err), here.Close())
	}
	g.conn = here
	go func() {
		_ = g.cmd.Wait() // how it ended matters to nobody: what it left, the next run sweeps
		close(g.ended)
	}()
	return nil
}

// withoutOurs leaves out what marks a process as a run's, which a guard is not.
func withoutOurs(env []string) []string {
	var rest []string
	for _, v := range env {
		if !strings.HasPrefix(v, "PORTLAB_RUN=") && !strings.HasPrefix(v, "PORTLAB_HOME=") {
			rest = append(rest, v)
		}
	}
	return rest
}

// await returns when the guard watches.
func (g *Guard) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, guardPatience)
	defer cancel()
	conn := g.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer stop()
	word, _, _, err := hear(conn)
	if ctx.Err() != nil {
		return fmt.Errorf("wait for the guard: %w", ctx.Err())
	}
	if err == nil && word != wordReady {
		err = fmt.Errorf("it said %q", word)
	}
	if err != nil {
		return fmt.Errorf("the guard does not watch: %w (the program must call guard.Child first of all)", err)
	}
	return nil
}

// register has the guard hold what this process holds, now and from now on.
func (g *Guard) register() {
	mine.Lock()
	defer mine.Unlock()
	mine.guards[g] = true
	g.hold(g.live)
	for h := range mine.holds {
		g.hold(h)
	}
}

func (g *Guard) hold(h *Hold) { g.tell(wordHold, h.name, h.conn) }
func (g *Guard) drop(h *Hold) { g.tell(wordDrop, h.name, nil) }

// tell says something to the guard. Should the guard have died, the run goes
// on without: the next run sweeps what this one may leave.
func (g *Guard) tell(word, name string, socket *net.UnixConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conn != nil {
		_ = say(g.conn, word, name, socket)
	}
}

// Write implements [lab.Journal]. The note is on its file when it returns.
func (g *Guard) Write(n lab.Note) error { return g.journal.write(n) }

// Close says that the run has cleaned up: the journal goes, and the guard ends
// without a sweep. A run that could not clean up does not call it, and the
// guard sweeps when the run's process ends. It is idempotent.
func (g *Guard) Close(ctx context.Context) error {
	conn := g.release()
	if conn == nil {
		return nil
	}
	err := g.journal.remove()
	_ = say(conn, wordDone, "", nil) // it may have died: then there is nobody to tell
	return errors.Join(err, g.awaitEnd(ctx), conn.Close(), g.live.conn.Close())
}

// HandOver leaves the sweep to the guard, for a run that could not clean up by
// itself, and returns when it has swept, or has taken longer than any sweep
// should. Once it has, the run no longer counts as alive.
func (g *Guard) HandOver(ctx context.Context) error {
	conn := g.release()
	if conn == nil {
		return nil
	}
	err := errors.Join(conn.Close(), g.live.conn.Close())
	select {
	case <-g.ended:
	case <-time.After(sweepPasses * sweepPause):
	case <-ctx.Done():
	}
	return err
}

// release takes the guard out of use, once, and gives the way to speak to it.
func (g *Guard) release() *net.UnixConn {
	mine.Lock()
	delete(mine.guards, g)
	mine.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	conn := g.conn
	g.conn = nil
	return conn
}

// awaitEnd returns when the guard has ended; one that does not is killed, as it
// has nothing left to do.
func (g *Guard) awaitEnd(ctx context.Context) error {
	patience := time.NewTimer(guardPatience)
	defer patience.Stop()
	var err error
	select {
	case <-g.ended:
		return nil
	case <-patience.C:
		err = fmt.Errorf("the guard did not end within %s and was killed", guardPatience)
	case <-ctx.Done():
	}
	_ = g.cmd.Process.Kill() // it may just have ended
	<-g.ended
	return err
}
