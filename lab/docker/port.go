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

// takePort claims the front's port, which must be free in all of the fleet's
// transports: the one that was asked for, or the first free one. It returns an
// [lab.UnsupportedError] that says who uses it.
func takePort(ctx context.Context, spec lab.FleetSpec) (uint16, io.Closer, error) {
	if spec.Port != 0 {
		claim, err := claimPort(ctx, spec, spec.Port)
		return spec.Port, claim, err
	}
	var last error
	for port := uint16(firstPort); port < firstPort+portsTried; port++ {
		claim, err := claimPort(ctx, spec, port)
		if err == nil {
			return port, claim, nil
		}
		last = err
	}
	return 0, nil, fmt.Errorf("no port from %d to %d is free; the last one tried: %w", firstPort, firstPort+portsTried-1, last)
}

// transports are those in which the fleet binds the front's port: a replica on
// the host answers HTTP there too, whatever its clients speak.
func transports(spec lab.FleetSpec) []string {
	all := []string{transport(spec)}
	if spec.Placement == lab.HostNetns && all[0] != "tcp" {
		all = append(all, "tcp")
	}
	return all
}

// transport is what is below the fleet's protocol; without one, below HTTP/1.1.
func transport(spec lab.FleetSpec) string { return spec.Protocol.Transport() }

// claimPort claims a port that is free on all of the front's addresses that are
// there already; those of its own network nobody else can have bound.
func claimPort(ctx context.Context, spec lab.FleetSpec, port uint16) (io.Closer, error) {
	front := lab.Front{Address: spec.FrontAddress, Loopback: loopback, Port: port}
	for _, t := range transports(spec) {
		for _, at := range front.Endpoints() {
			if err := bind(ctx, t, at); err != nil {
				return nil, portTaken(ctx, t, at, err)
			}
		}
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

// bind finds out whether a port can be bound.
func bind(ctx context.Context, transport string, at netip.AddrPort) error {
	var l io.Closer
	var err error
	if transport == "udp" {
		l, err = new(net.ListenConfig).ListenPacket(ctx, transport, at.String())
	} else {
		l, err = new(net.ListenConfig).Listen(ctx, transport, at.String())
	}
	if err != nil {
		return err
	}
	return l.Close()
}

func portTaken(ctx context.Context, transport string, at netip.AddrPort, err error) error {
	what := fmt.Sprintf("%s port %d", strings.ToUpper(transport), at.Port())
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &lab.UnsupportedError{
			What: what, Reason: "it is in use by " + whoListens(ctx, transport, at.Port()),
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
func whoListens(ctx context.Context, transport string, port uint16) string {
	const unknown = "another process (run as root to see which)"
	own, err := kernel.Own()
	if err != nil {
		return unknown
	}
	defer own.Close()
	owners, err := kernel.WhoListens(ctx, own, transport, port)
	if err != nil || len(owners) == 0 {
		return unknown
	}
	var names []string
	for _, o := range owners {
		names = append(names, o.String())
	}
	return strings.Join(names, " and ")
}
