package kernel

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// listener is one listening TCP socket of a namespace.
type listener struct {
	port  uint16
	inode uint64
}

// Owner is a process that holds a listening socket.
type Owner struct {
	PID     int
	Command string // its command line
}

func (o Owner) String() string { return fmt.Sprintf("%s (process %d)", o.Command, o.PID) }

// WhoListens finds the processes that listen on a TCP port in a namespace. It
// returns none if nobody does, or if this user may not see who.
func WhoListens(ctx context.Context, ns *Namespace, port uint16) ([]Owner, error) {
	all, err := listeners(ctx, ns)
	if err != nil {
		return nil, err
	}
	var inodes []uint64
	for _, l := range all {
		if l.port == port {
			inodes = append(inodes, l.inode)
		}
	}
	if len(inodes) == 0 {
		return nil, nil
	}
	everyone, err := pids()
	if err != nil {
		return nil, err
	}
	var owners []Owner
	for _, pid := range append(everyone, os.Getpid()) {
		if holds(pid, inodes) {
			owners = append(owners, Owner{PID: pid, Command: commandOf(pid)})
		}
	}
	return owners, nil
}

// listeners lists the listening TCP sockets of a namespace, of both families.
func listeners(ctx context.Context, ns *Namespace) ([]listener, error) {
	var all []listener
	err := ns.Do(ctx, func() error {
		for _, name := range []string{"tcp", "tcp6"} {
			text, err := os.ReadFile("/proc/thread-self/net/" + name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without IPv6
			}
			if err != nil {
				return fmt.Errorf("list the listening sockets: %w", err)
			}
			all = append(all, parseListeners(string(text))...)
		}
		return nil
	})
	return all, err
}

// parseListeners reads /proc/net/tcp or tcp6 (proc_pid_net(5)) and passes over
// what is no listening socket.
func parseListeners(text string) []listener {
	const stateListen = "0A" // TCP_LISTEN of include/net/tcp_states.h
	var all []listener
	for line := range strings.Lines(text) {
		f := strings.Fields(line) // sl, local, remote, state, ..., inode is the tenth
		if len(f) < 10 || f[3] != stateListen {
			continue
		}
		_, hexPort, _ := strings.Cut(f[1], ":")
		port, err := strconv.ParseUint(hexPort, 16, 16)
		if err != nil {
			continue
		}
		inode, err := strconv.ParseUint(f[9], 10, 64)
		if err != nil {
			continue
		}
		all = append(all, listener{port: uint16(port), inode: inode})
	}
	return all
}

// sessionListens says whether a process of the session listens on any TCP port.
func sessionListens(ctx context.Context, ns *Namespace, session int) (bool, error) {
	all, err := listeners(ctx, ns)
	if err != nil || len(all) == 0 {
		return false, err
	}
	inodes := make([]uint64, len(all))
	for i, l := range all {
		inodes[i] = l.inode
	}
	if holds(session, inodes) { // most often its first process
		return true, nil
	}
	everyone, err := pids()
	if err != nil {
		return false, err
	}
	for _, pid := range everyone {
		if pid != session && sessionOf(pid) == session && holds(pid, inodes) {
			return true, nil
		}
	}
	return false, nil
}
