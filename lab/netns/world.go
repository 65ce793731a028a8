package netns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab/kernel"
)

// envWorld marks the process that a world is made for.
const envWorld = "PORTLAB_WORLD"

// World is what runs in a world of its own: this program once more.
type World struct {
	Args           []string // of the command line, without the program's name
	Env            []string // beside this process's own, as KEY=value
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Inside says whether this process was started by [Enter].
func Inside() bool { return os.Getenv(envWorld) != "" && os.Getpid() == 1 }

// Enter runs this program once more, as process 1 of new network, mount and
// pid namespaces (namespaces(7)), and returns its exit status. Where this
// process may not make those by itself, they belong to a new user namespace
// (user_namespaces(7)), in which the user is root over nothing else. The
// program must call [Settle] first of all.
//
// When this process ends, SIGKILL included, the kernel ends that one, and with
// it all that runs in the world. When ctx ends, it is sent SIGINT, and may take
// its time. An [lab.UnsupportedError] says why the system forbids a world, and
// what to do.
func Enter(ctx context.Context, w World) (status int, err error) {
	// The kernel sends Pdeathsig when the thread ends that started the process,
	// prctl(2): this one must stay until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := command(w, !kernel.MayMakeNamespaces())
	theirs, lifeline, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("make a pipe: %w", err)
	}
	defer lifeline.Close()
	cmd.ExtraFiles = []*os.File{theirs}
	err = cmd.Start()
	_ = theirs.Close() // the other process has its own
	if err != nil {
		return 0, forbidden("make namespaces of its own", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(unix.SIGINT) }) // it may just have ended
	defer stop()
	err = cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, nil
	case ok && exit.Exited():
		return exit.ExitCode(), nil
	}
	return 0, fmt.Errorf("the lab's own process ended on the way: %w", err)
}

func command(w World, asUser bool) *exec.Cmd {
	// No context: it would kill, where the run is to clean up and report.
	cmd := exec.Command("/proc/self/exe", w.Args...) //nolint:noctx // see above
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(append(os.Environ(), w.Env...), envWorld+"=1", kernel.QuickStart)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = w.Stdin, w.Stdout, w.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
		// A terminal's Ctrl-C goes to this process alone, which passes it on:
		// the other would else be told twice, which means at once.
		Setpgid: true,
	}
	if asUser {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return cmd
}
