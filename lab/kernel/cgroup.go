package kernel

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// openGroup opens the folder of this process's own control group, of version 2
// (cgroups(7)). Where the mounts of this process do not show it, as under
// ip-netns(8), it asks the kernel for a mount that nobody else sees.
func openGroup() (*os.File, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("look for control groups: %w", err)
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("look for this process's control group: %w", err)
	}
	own, ok := groupOf(string(text))
	if !ok {
		return nil, &lab.UnsupportedError{
			What: "control groups of version 2", Reason: "this kernel has none", Remedy: "use a kernel with CONFIG_CGROUPS, and one booted without cgroup_no_v1=none",
		}
	}
	if path, ok := groupPath(string(mounts), own); ok {
		f, err := os.Open(path)
		if err != nil {
			return nil, privileged("open this process's control group", err)
		}
		return f, nil
	}
	f, err := openGroupUnseen(own)
	if err != nil {
		return nil, privileged("open this process's control group, which is mounted nowhere here", err)
	}
	return f, nil
}

// openGroupUnseen opens a control group by a mount that is in no namespace
// (fsmount(2)) and goes away when it is closed.
func openGroupUnseen(own string) (_ *os.File, err error) {
	context, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsopen", err)
	}
	defer func() { err = errors.Join(err, unix.Close(context)) }()
	if err := unix.FsconfigCreate(context); err != nil {
		return nil, os.NewSyscallError("fsconfig", err)
	}
	mount, err := unix.Fsmount(context, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fsmount", err)
	}
	defer func() { err = errors.Join(err, unix.Close(mount)) }()
	fd, err := unix.Openat(mount, "."+own, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("openat", err)
	}
	return os.NewFile(uintptr(fd), own), nil
}

// groupOf reads a process's control group of version 2 out of /proc/PID/cgroup.
func groupOf(groups string) (path string, ok bool) {
	for line := range strings.Lines(groups) {
		if path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::"); ok {
			return path, true
		}
	}
	return "", false
}

// groupPath finds where a control group of version 2 is mounted, by
// proc_pid_mountinfo(5).
func groupPath(mounts, own string) (path string, ok bool) {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		f := strings.Fields(before) // id, parent, device, root, mount point, ...
		if len(f) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		if below, err := filepath.Rel(f[3], own); err == nil && filepath.IsLocal(below) {
			return filepath.Join(f[4], below), true
		}
	}
	return "", false
}
