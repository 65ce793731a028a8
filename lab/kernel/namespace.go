package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// Namespace is a network namespace (network_namespaces(7)), held by an open
// file. It is a [lab.Place]. It is safe for concurrent use until closed.
type Namespace struct {
	file  *os.File
	inode uint64
	own   bool
	pid   int // whose namespace it is; 0: anonymous or the process's own
}

// Own is the process's own network namespace.
func Own() (*Namespace, error) { return open("/proc/self/ns/net", 0) }

// OfProcess is the network namespace of a process. It returns an
// [lab.UnsupportedError] if this user may not look at the process.
func OfProcess(pid int) (*Namespace, error) {
	return open(fmt.Sprintf("/proc/%d/ns/net", pid), pid)
}

// New makes an anonymous network namespace with its loopback link up. Nothing
// but this file holds it: when the process ends, however it ends, the kernel
// takes the namespace away with all that is in it. It returns an
// [lab.UnsupportedError] without CAP_SYS_ADMIN (capabilities(7)).
func New() (*Namespace, error) {
	var n *Namespace
	err := aside(func() (bool, error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return false, privileged("make a network namespace", err)
		}
		var err error
		if n, err = open("/proc/thread-self/ns/net", 0); err != nil {
			return false, err
		}
		n.own = false
		// The loopback link is the first of a namespace.
		if err := netlink.LinkSetUp(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 1}}); err != nil {
			return false, errors.Join(fmt.Errorf("bring up the loopback link: %w", err), n.Close())
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	return n, nil
}

func open(path string, pid int) (*Namespace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, privileged("open a network namespace", err)
	}
	var it, own unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &it); err != nil {
		return nil, errors.Join(fmt.Errorf("stat %s: %w", path, err), f.Close())
	}
	if err := unix.Stat("/proc/self/ns/net", &own); err != nil {
		return nil, errors.Join(fmt.Errorf("stat /proc/self/ns/net: %w", err), f.Close())
	}
	same := it.Dev == own.Dev && it.Ino == own.Ino
	return &Namespace{file: f, inode: it.Ino, own: same, pid: pid}, nil
}

// Inode is the namespace's number, as `lsns -t net` and `ip netns identify`
// know it.
func (n *Namespace) Inode() uint64 { return n.inode }

// Do runs f on a thread inside the namespace, for as long as f likes, and
// returns what f returns. Many calls may run at a time. A socket that f makes
// belongs to the namespace and can be used anywhere afterwards; a goroutine
// that f starts does not run inside. Calls must not be nested: Do of the
// process's own namespace simply calls f where it is.
func (n *Namespace) Do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.own {
		return f()
	}
	return aside(func() (bool, error) {
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			return true, fmt.Errorf("open the thread's network namespace: %w", err)
		}
		defer home.Close()
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return true, privileged("enter a network namespace", err)
		}
		err = f()
		// A thread that cannot go back is thrown away.
		return unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil, err
	})
}

// Shell is the prefix of a command that runs inside the namespace, as long as
// what holds the namespace lives; empty for the process's own.
func (n *Namespace) Shell() string {
	switch {
	case n.own:
		return ""
	case n.pid != 0:
		return fmt.Sprintf("nsenter --net=/proc/%d/ns/net", n.pid)
	}
	return fmt.Sprintf("nsenter --net=/proc/%d/fd/%d", os.Getpid(), n.file.Fd())
}

// Close lets go of the namespace. An anonymous one goes away once nothing in
// it runs and no socket of it is open.
func (n *Namespace) Close() error { return n.file.Close() }

// privileged turns a refusal for want of privilege into an UnsupportedError.
func privileged(what string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) {
		return &lab.UnsupportedError{What: what, Reason: err.Error(), Remedy: asRoot}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// asRoot is the remedy wherever a privilege lacks.
const asRoot = "run as root, such as with sudo"
