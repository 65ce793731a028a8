package kernel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// namespaces makes a map of the network namespaces whose clients are led, by
// their cookies (SO_NETNS_COOKIE, socket(7)).
func (c *connectHook) namespaces(ctx context.Context, p lab.BPFProgram) (*ebpf.Map, error) {
	cookies, err := c.cookies(ctx, p)
	if err != nil {
		return nil, err
	}
	m, err := newMap(ebpf.MapSpec{Type: ebpf.Hash, KeySize: 8, ValueSize: 1, MaxEntries: uint32(len(cookies))})
	if err != nil {
		return nil, err
	}
	for _, cookie := range cookies {
		if err := m.Put(cookie, uint8(1)); err != nil {
			return nil, errors.Join(bpfError("fill a map", err), m.Close())
		}
	}
	return m, nil
}

// cookies are those of the host's namespace and the replicas'. It is an error if
// a replica has no process.
func (c *connectHook) cookies(ctx context.Context, p lab.BPFProgram) ([]uint64, error) {
	own, err := cookieOf(ctx, c.ns)
	if err != nil {
		return nil, err
	}
	everyone, err := pids()
	if err != nil {
		return nil, err
	}
	missing := map[string]lab.Replica{}
	for _, r := range p.Replicas {
		missing[r.Instance] = r
	}
	cookies := []uint64{own}
	for _, pid := range everyone {
		r, one := missing[instanceOf(pid)]
		if run := runOf(pid); !one || run != p.Run && run != "" {
			continue
		}
		cookie, theirs, err := cookieAt(ctx, pid, r.Address.Addr())
		if err != nil {
			return nil, err
		}
		if theirs {
			delete(missing, r.Instance)
			cookies = append(cookies, cookie)
		}
	}
	for _, r := range missing {
		return nil, fmt.Errorf("%s at %s: %w", r.Instance, r.Address, ErrNobodyListens)
	}
	slices.Sort(cookies)
	return slices.Compact(cookies), nil
}

// runOf is the run that a process says it belongs to; empty if it says nothing.
func runOf(pid int) lab.RunID { return lab.RunID(environOf(pid)[envRun]) }

// cookieAt is the cookie of a process's namespace, and whether an address is
// that namespace's: one of the same instance's name may be another run's.
func cookieAt(ctx context.Context, pid int, address netip.Addr) (cookie uint64, theirs bool, err error) {
	ns, err := OfProcess(pid)
	if errors.Is(err, os.ErrNotExist) {
		return 0, false, nil // it has just ended
	}
	if err != nil {
		return 0, false, err
	}
	defer ns.Close()
	err = ns.Do(ctx, func() error {
		own, err := net.InterfaceAddrs()
		theirs = slices.ContainsFunc(own, func(a net.Addr) bool {
			n, ok := a.(*net.IPNet)
			return ok && (n.IP.Equal(address.AsSlice()) || n.IP.IsLoopback() && n.Contains(address.AsSlice()))
		})
		return err
	})
	if err == nil {
		cookie, err = cookieOf(ctx, ns)
	}
	return cookie, theirs, err
}

// cookieOf asks a socket of a namespace for the namespace's cookie.
func cookieOf(ctx context.Context, ns *Namespace) (cookie uint64, err error) {
	err = ns.Do(ctx, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer unix.Close(fd)
		cookie, err = unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
		return os.NewSyscallError("SO_NETNS_COOKIE", err)
	})
	return cookie, err
}
