package kernel

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// classicReuseport is a program of classic BPF on a group of sockets that share
// an address and port. It takes no privilege beyond that to borrow a socket, and
// goes away with the last socket of its group.
type classicReuseport struct {
	ns      *Namespace
	program lab.BPFProgram
}

// become sets the program on one socket of each group, which sets it for all;
// the kernel swaps programs by itself.
func (c *classicReuseport) become(ctx context.Context, p lab.BPFProgram) error {
	if p.Method != lab.MethodRandom {
		return lab.Usagef("a program of classic BPF cannot choose by %q", p.Method)
	}
	c.program = p
	for _, at := range p.Front {
		err := withMember(ctx, c.ns, p.Transport, at, func(fd int) error {
			return attachClassic(fd, len(p.Replicas))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *classicReuseport) detach(ctx context.Context) error {
	return detachGroups(ctx, c.ns, c.program)
}

// attachClassic sets a program that gives a number below n at random.
func attachClassic(fd, n int) error {
	const (
		ancillary = 1<<32 - 0x1000 // SKF_AD_OFF, linux/filter.h
		random    = 56             // SKF_AD_RANDOM
	)
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: ancillary + random},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	program := &unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, program)
	if err != nil {
		return privileged("set SO_ATTACH_REUSEPORT_CBPF", err)
	}
	return nil
}
