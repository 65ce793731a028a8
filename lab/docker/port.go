package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/guard"
	"github.com/portlab/portlab/lab/kernel"
)

// firstPort is where the search for a free port begins, and portsTried how
// many are looked at.
const (
	firstPort  = 8080
	portsTried = 100
)

// takePort claims the front's port: the one that was asked for, or the first
// free one. It returns an [lab.UnsupportedError] that says who uses it.
func takePort(ctx context.Context, asked uint16, ip netip.Addr) (uint16, io.Closer, error) {
	if asked != 0 {
		claim, err := claimPort(ctx, asked, ip)
		return asked, claim, err
	}
	var last error
	for port := uint16(firstPort); port < firstPort+portsTried; port++ {
		claim, err := claimPort(ctx, port, ip)
		if err == nil {
			return port, claim, nil
		}
		last = err
	}
	return 0, nil, fmt.Errorf("no port from %d to %d is free; the last one tried: %w", firstPort, firstPort+portsTried-1, last)
}

func claimPort(ctx context.Context, port uint16, ip netip.Addr) (io.Closer, error) {
	at := netip.AddrPortFrom(ip, port)
	l, err := net.Listen("tcp", at.String())
	if err != nil {
		return nil, portTaken(ctx, at, err)
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	claim, ok := guard.Claim(fmt.Sprintf("port-%d", port))
	if !ok {
		return nil, &lab.UnsupportedError{
			What: fmt.Sprintf("port %d", port), Reason: "another run of portlab uses it",
			Remedy: "choose another with --port, or leave --port out to have a free one chosen",
		}
	}
	return claim, nil
}

func portTaken(ctx context.Context, at netip.AddrPort, err error) error {
	what := fmt.Sprintf("port %d", at.Port())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &lab.UnsupportedError{
			What: what, Reason: "it is in use by " + whoListens(ctx, at.Port()),
			Remedy: "choose another with --port, or leave --port out to have a free one chosen",
		}
	case errors.Is(err, syscall.EACCES):
		return &lab.UnsupportedError{
			What: what, Reason: "this user may not bind ports below 1024",
			Remedy: "run with sudo, or choose a port from 1024 on",
		}
	}
	return fmt.Errorf("bind %s: %w", at, err)
}

// whoListens names the processes that use a port of the machine.
func whoListens(ctx context.Context, port uint16) string {
	const unknown = "another process (run as root to see which)"
	own, err := kernel.Own()
	if err != nil {
		return unknown
	}
	defer own.Close()
	owners, err := kernel.WhoListens(ctx, own, port)
	if err != nil || len(owners) == 0 {
		return unknown
	}
	var names []string
	for _, o := range owners {
		names = append(names, o.String())
	}
	return strings.Join(names, " and ")
}
