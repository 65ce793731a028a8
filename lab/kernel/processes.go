package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// What marks a run's processes, beside their working folder.
const (
	envRun  = "PORTLAB_RUN"
	envHome = "PORTLAB_HOME"
)

// EnvPlace is the variable of a process's environment that says in which place
// of a run it stands: client, host, or the name of a replica.
const EnvPlace = "PORTLAB_PLACE"

// QuickStart is a variable, as KEY=value, for a process that is this program and
// needs no engine. It spares it the listing of all processes with which
// testcontainers-go is initialised, 8 ms on a quiet machine: it looks for them
// there. Among a thousand replicas, each would else read of a thousand.
const QuickStart = "HOST_PROC=/nonexistent"

// RunEnv are the variables, as KEY=value, that mark a process of a run, so that
// [Traces] finds it and what it starts.
func RunEnv(run lab.RunID) ([]string, error) {
	home, err := lab.Home()
	if err != nil {
		return nil, err
	}
	return []string{envRun + "=" + string(run), envHome + "=" + home}, nil
}

func processTraces(context.Context) ([]lab.Trace, error) {
	everyone, err := pids()
	if err != nil {
		return nil, err
	}
	mark, err := newMark()
	if err != nil {
		return nil, err
	}
	var all []lab.Trace
	for _, pid := range everyone {
		id, ok := mark.run(pid)
		if !ok {
			continue
		}
		all = append(all, lab.Trace{
			Run: id, Kind: lab.ProcessTrace, Name: Owner{PID: pid, Command: commandOf(pid)}.String(),
			Remove: func(ctx context.Context) error { return kill(ctx, pid, id, mark) },
		})
	}
	return all, nil
}

// mark tells which run of this home a process belongs to.
type mark struct{ home, root string }

func newMark() (mark, error) {
	home, err := lab.Home()
	if err != nil {
		return mark{}, err
	}
	root, err := lab.RuntimeDir()
	return mark{home: home, root: root}, err
}

// run goes by the environment or, for a program such as nginx that writes its
// title over it, by the working folder: that of a sidecar is below its run's, and the
// path names the home.
func (m mark) run(pid int) (lab.RunID, bool) {
	if vars := environOf(pid); vars[envRun] != "" {
		id, err := lab.ParseRunID(vars[envRun])
		return id, err == nil && vars[envHome] == m.home
	}
	dir, err := os.Readlink(procFile(pid, "cwd"))
	if err != nil {
		return "", false
	}
	below, ok := strings.CutPrefix(dir, m.root+"/")
	if !ok {
		return "", false
	}
	name, _, _ := strings.Cut(below, "/")
	id, err := lab.ParseRunID(name)
	return id, err == nil
}

// kill ends a process if it is still the run's, and returns when it has ended.
func kill(ctx context.Context, pid int, id lab.RunID, m mark) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	// From here on the number cannot become another's unnoticed.
	if now, ok := m.run(pid); !ok || now != id {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return privileged(fmt.Sprintf("end process %d", pid), err)
	}
	return awaitEnd(ctx, fd, pid)
}

// awaitEnd returns when a killed process has ended.
func awaitEnd(ctx context.Context, pidfd, pid int) error {
	const patience, step = 5000, 100 // milliseconds
	for waited := 0; waited < patience; waited += step {
		fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, step)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for process %d: %w", pid, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("process %d has not ended 5 s after SIGKILL", pid)
}
