package kernel

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// listener is one socket of a namespace that takes what comes to a port.
type listener struct {
	address netip.Addr // unspecified: it takes what comes to any
	port    uint16
	inode   uint64
}

// Owner is a process that holds a listening socket.
type Owner struct {
	PID     int
	Command string // its command line
}

func (o Owner) String() string { return fmt.Sprintf("%s (process %d)", o.Command, o.PID) }

// WhoListens finds the processes that listen on a port of a transport, "tcp" or
// "udp", in a namespace. It returns none if nobody does, or if this user may not
// see who.
func WhoListens(ctx context.Context, ns *Namespace, transport string, port uint16) ([]Owner, error) {
	all, err := listeners(ctx, ns, transport)
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

// listeners lists the listening sockets of a namespace, of both families.
func listeners(ctx context.Context, ns *Namespace, transport string) ([]listener, error) {
	var all []listener
	err := ns.Do(ctx, func() error {
		for _, name := range []string{transport, transport + "6"} {
			text, err := os.ReadFile("/proc/thread-self/net/" + name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // a kernel without IPv6
			}
			if err != nil {
				return fmt.Errorf("list the listening sockets: %w", err)
			}
			all = append(all, parseListeners(string(text), listens[transport])...)
		}
		return nil
	})
	return all, err
}

// listens is the state of a socket that takes what comes from anywhere, by
// transport: TCP_LISTEN, and TCP_CLOSE for a UDP socket that is not connected
// (include/net/tcp_states.h).
var listens = map[string]string{"tcp": "0A", "udp": "07"}

// parseListeners reads /proc/net/tcp, udp, tcp6 or udp6 (proc_pid_net(5)) and
// passes over sockets in any other state.
func parseListeners(text, state string) []listener {
	var all []listener
	for line := range strings.Lines(text) {
		f := strings.Fields(line) // sl, local, remote, state, ..., inode is the tenth
		if len(f) < 10 || f[3] != state {
			continue
		}
		hexAddress, hexPort, _ := strings.Cut(f[1], ":")
		address, ok := parseHexAddress(hexAddress)
		if !ok {
			continue
		}
		port, err := strconv.ParseUint(hexPort, 16, 16)
		if err != nil {
			continue
		}
		inode, err := strconv.ParseUint(f[9], 10, 64)
		if err != nil {
			continue
		}
		all = append(all, listener{address: address, port: uint16(port), inode: inode})
	}
	return all
}

// parseHexAddress reads an address as the files of proc_pid_net(5) have it: the
// words of the network's byte order, printed as numbers of this machine's.
func parseHexAddress(text string) (netip.Addr, bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	return netip.AddrFromSlice(raw)
}

// sessionListens says whether a process of the session listens on any port of a
// transport.
func sessionListens(ctx context.Context, ns *Namespace, session int, transport string) (bool, error) {
	all, err := listeners(ctx, ns, transport)
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
