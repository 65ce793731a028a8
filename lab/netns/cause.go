package netns

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// forbidden turns what the system says to a world into an
// [lab.UnsupportedError] that names the cause and the remedies.
func forbidden(what string, err error) error {
	for _, no := range []error{unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS, unix.EINVAL, unix.ENOSYS} {
		if errors.Is(err, no) {
			c := causeOf(err, !kernel.MayMakeNamespaces(), readFile)
			return &lab.UnsupportedError{
				What: "the netns runtime, to " + what, Reason: fmt.Sprintf("%s (%v)", c.reason, err), Remedy: c.remedy,
			}
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// cause is why a system forbids a world, and what to do.
type cause struct{ reason, remedy string }

const (
	inDocker = "start it with --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt apparmor=unconfined, or with --privileged; docs/runtimes.md has a way with no capability"
	profile  = "or give portlab an AppArmor profile that has \"userns,\" (docs/runtimes.md)"
)

// causeOf finds the cause by what the system says of itself. A user needs a
// user namespace, which systems restrict in ways of their own.
func causeOf(err error, asUser bool, read func(path string) (string, bool)) cause {
	setting := func(name string) string {
		value, _ := read("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
		return strings.TrimSpace(value)
	}
	switch {
	case asUser && setting("user.max_user_namespaces") == "0":
		return cause{
			"this system allows no user namespaces: user.max_user_namespaces is 0",
			"run with sudo, or sudo sysctl user.max_user_namespaces=10000",
		}
	case asUser && setting("kernel.unprivileged_userns_clone") == "0":
		return cause{
			"this system allows user namespaces to root only: kernel.unprivileged_userns_clone is 0",
			"run with sudo, or sudo sysctl kernel.unprivileged_userns_clone=1",
		}
	case inContainer(read):
		return cause{"this container lacks the right to make namespaces and mounts", inDocker}
	case asUser && setting("kernel.apparmor_restrict_unprivileged_userns") == "1":
		return cause{
			"AppArmor restricts the user namespaces of ordinary users: kernel.apparmor_restrict_unprivileged_userns is 1",
			"run with sudo, or sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, " + profile,
		}
	case errors.Is(err, unix.ENOSPC):
		return cause{"a limit on namespaces is reached", "look at sysctl -a --pattern '^user.max_.*_namespaces'"}
	case asUser:
		return cause{"this system forbids an ordinary user to make namespaces", "run with sudo"}
	}
	return cause{"this system forbids it", "look whether a security module (AppArmor, SELinux) or a seccomp filter stands in the way"}
}

// inContainer knows the marks that engines leave in a container: Docker and
// Podman a file, others the variable of the first process
// (https://systemd.io/CONTAINER_INTERFACE/).
func inContainer(read func(path string) (string, bool)) bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, there := read(mark); there {
			return true
		}
	}
	environ, _ := read("/proc/1/environ")
	return strings.HasPrefix(environ, "container=") || strings.Contains(environ, "\x00container=")
}

// readFile is the content of a file, and whether it is there.
func readFile(path string) (string, bool) {
	text, err := os.ReadFile(path)
	return string(text), err == nil
}
