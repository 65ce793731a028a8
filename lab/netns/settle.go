package netns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// Settle makes a fresh world fit to live in: mounts that nobody outside sees,
// a /proc of its own processes, and a /run in which programs can make their
// locks. The inner process of [Enter] calls it before all else. It returns an
// [lab.UnsupportedError] where the system forbids that.
func Settle() error {
	followToTheEnd()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return forbidden("keep mounts to itself", err)
	}
	// /proc/self and /proc/thread-self know the processes of the pid namespace
	// that the file system was mounted in.
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return forbidden("mount a /proc of its own", err)
	}
	return freshRun("/run")
}

// followToTheEnd ends this process when the one that entered the world ends.
// The kernel does that too, but not for one that ended while this was started.
func followToTheEnd() {
	const lifeline = 3 // the first file that a process is started with, beside the standard ones
	unix.CloseOnExec(lifeline)
	go func() {
		_, _ = os.NewFile(lifeline, "lifeline").Read(make([]byte, 1)) // nothing is ever written: it returns at the end
		os.Exit(1)
	}()
}

// ours are what programs would make below /run of the machine: iptables' lock,
// named namespaces, and the files of other runs.
var ours = []string{"xtables.lock", "netns", "portlab"}

// freshRun mounts an empty folder over /run, with the folders in it that were
// there, so that paths of the user's stay valid.
func freshRun(run string) error {
	entries, err := os.ReadDir(run)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", run, err)
	}
	kept := map[string]int{}
	defer func() {
		for _, fd := range kept {
			_ = unix.Close(fd) // it was never written to
		}
	}()
	for _, e := range entries {
		if !e.IsDir() || slices.Contains(ours, e.Name()) {
			continue
		}
		if fd, err := unix.Open(filepath.Join(run, e.Name()), unix.O_PATH|unix.O_CLOEXEC, 0); err == nil {
			kept[e.Name()] = fd
		}
	}
	if err := unix.Mount("tmpfs", run, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
		return forbidden("mount a "+run+" of its own", err)
	}
	for name, fd := range kept {
		if err := bindBack(filepath.Join(run, name), fd); err != nil {
			return err
		}
	}
	return nil
}

// bindBack shows a folder where it was before something was mounted above it.
// All mounts below it come along: a user namespace may not look under them.
func bindBack(path string, fd int) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return fmt.Errorf("make room for %s: %w", path, err)
	}
	if err := unix.Mount("/proc/self/fd/"+strconv.Itoa(fd), path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return forbidden("show "+path, err)
	}
	return nil
}
