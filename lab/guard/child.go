package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// How a guard sweeps. What the dead run had asked for may still come to be: a
// container that the engine was just making, a command that was under way. So
// it goes on until a pass finds nothing.
const (
	sweepTimeout = 2 * time.Minute
	sweepPasses  = 10
	sweepPause   = time.Second
)

// Child is the body of the guard's process, and does nothing in any other: it
// returns false there. A program that calls [Start] calls Child first of all,
// from main or TestMain, and ends if it returns true. It waits until the run
// has ended, sweeps it unless the run said that it had cleaned up, and lets go
// of the run's name and claims.
func Child(ctx context.Context, s Sweeper) (bool, error) {
	id := os.Getenv(envGuard)
	if id == "" {
		return false, nil
	}
	// The end of the run is the only end of its guard.
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGPIPE)
	if err := os.Unsetenv(envGuard); err != nil {
		return true, err
	}
	run, err := lab.ParseRunID(id)
	if err != nil {
		return true, fmt.Errorf("%s: %w", envGuard, err)
	}
	conn, err := connOf(os.NewFile(3, "the run's socket"))
	if err != nil {
		return true, err
	}
	defer conn.Close()
	if err := say(conn, wordReady, "", nil); err != nil && !errors.Is(err, unix.EPIPE) {
		return true, fmt.Errorf("tell the run that its guard watches: %w", err)
	}
	if watch(conn) {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTimeout)
	defer cancel()
	return true, s.untilClean(ctx, run)
}

// watch returns when the run has ended, and says whether it had cleaned up. It
// keeps what it is told to hold for as long as the process lives.
func watch(conn *net.UnixConn) (clean bool) {
	holding := map[string]int{}
	for {
		word, name, socket, err := hear(conn)
		switch {
		case err != nil:
			return false
		case word == wordDone:
			return true
		case word == wordHold && socket >= 0:
			holding[name] = socket
		case word == wordDrop:
			if fd, ok := holding[name]; ok {
				_ = unix.Close(fd) // nothing was written to it
				delete(holding, name)
			}
		}
	}
}

// untilClean sweeps a run until a pass finds nothing, but for the first: that
// one may be too early.
func (s Sweeper) untilClean(ctx context.Context, run lab.RunID) error {
	var err error
	for pass := range sweepPasses {
		var removed []lab.Trace
		removed, err = s.SweepRun(ctx, run)
		if pass > 0 && err == nil && len(removed) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(sweepPause):
		}
	}
	return err
}
