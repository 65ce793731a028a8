package kernel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// heldSocket is a socket that a replica listens on, borrowed: a duplicate that
// is to be closed soon, since one that stays open keeps a dead replica's share.
type heldSocket struct {
	*os.File
	instance string // of the replica; empty if its process does not say
	address  netip.AddrPort
	inode    uint64
}

// ErrNobodyListens says that a program of BPF finds no socket of a replica's.
var ErrNobodyListens = errors.New("no process of a replica's listens there, or this user may not look at it")

// borrow gives the sockets on which others listen at these addresses, whoever
// holds them, by pidfd_getfd(2). It may look only at processes that this user may
// trace (ptrace(2)).
func borrow(ctx context.Context, ns *Namespace, transport string, at ...netip.AddrPort) (held []heldSocket, err error) {
	wanted, err := listening(ctx, ns, transport, at)
	if err != nil || len(wanted) == 0 {
		return nil, err
	}
	everyone, err := pids()
	if err != nil {
		return nil, err
	}
	for _, pid := range everyone {
		for fd, inode := range socketsOf(pid) {
			address, ours := wanted[inode]
			if !ours {
				continue
			}
			s, err := duplicate(pid, fd)
			if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EBADF) {
				continue // it has just ended, or closed it
			}
			if err != nil {
				giveBack(held)
				return nil, privileged(fmt.Sprintf("take a socket of process %d", pid), err)
			}
			held = append(held, heldSocket{File: s, instance: instanceOf(pid), address: address, inode: inode})
			delete(wanted, inode)
		}
	}
	slices.SortFunc(held, func(a, b heldSocket) int { return cmp.Compare(a.inode, b.inode) })
	return held, nil
}

// listening are the sockets that listen at these addresses, by inode.
func listening(ctx context.Context, ns *Namespace, transport string, at []netip.AddrPort) (map[uint64]netip.AddrPort, error) {
	all, err := listeners(ctx, ns, transport)
	if err != nil {
		return nil, err
	}
	asked := map[netip.AddrPort]bool{}
	for _, a := range at {
		asked[a] = true
	}
	wanted := map[uint64]netip.AddrPort{}
	for _, l := range all {
		if a := netip.AddrPortFrom(l.address, l.port); asked[a] {
			wanted[l.inode] = a
		}
	}
	return wanted, nil
}

// borrowFor gives a socket of each replica at an address, in their order. It is
// an error if one has none.
func borrowFor(ctx context.Context, ns *Namespace, transport string, at netip.AddrPort, replicas []lab.Replica) ([]heldSocket, error) {
	held, err := borrow(ctx, ns, transport, at)
	if err != nil {
		return nil, err
	}
	own := make([]heldSocket, 0, len(replicas))
	for _, r := range replicas {
		i := slices.IndexFunc(held, func(s heldSocket) bool { return s.instance == r.Instance })
		if i < 0 {
			giveBack(append(held, own...))
			return nil, fmt.Errorf("%s at %s %s: %w", r.Instance, transport, at, ErrNobodyListens)
		}
		own = append(own, held[i])
		held = slices.Delete(held, i, i+1)
	}
	giveBack(held)
	return own, nil
}

func giveBack(held []heldSocket) {
	for _, s := range held {
		_ = s.Close() // nothing was written to it
	}
}

// duplicate gives this process a descriptor of another's socket.
func duplicate(pid, fd int) (*os.File, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(process)
	own, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(own), fmt.Sprintf("socket of process %d", pid)), nil
}

// socketsOf are the sockets that a process has open: descriptor to inode.
func socketsOf(pid int) map[int]uint64 {
	dir := procFile(pid, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	all := map[int]uint64{}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		inode, ok := socketInode(target)
		if fd, err := strconv.Atoi(e.Name()); ok && err == nil {
			all[fd] = inode
		}
	}
	return all
}
