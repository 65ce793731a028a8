package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"

	"github.com/portlab/portlab/lab"
)

// named connects to a name as one kind of real client does.
type named interface {
	dial(ctx context.Context) (net.Conn, error)
}

// driveNamed is [Simple] where clients are told a name: for each connection,
// what stands for them looks it up and dials, all within the request's latency.
// The targets say the IP version and the port.
func driveNamed(ctx context.Context, at lab.Place, p lab.Plan, to []endpoint, emit func(lab.Sample)) error {
	port := to[0].address.Port()
	network := "tcp4"
	if to[0].address.Addr().Is6() {
		network = "tcp6"
	}
	host := hostOf(p.Lookup, port)
	d := dialling{at: at, network: network, port: strconv.Itoa(int(port)), name: p.Lookup.Name + "."}
	d.dialer.Resolver = resolverAt(at, p.Lookup.Server)
	l := &loop{plan: p, emit: emit, targets: []endpoint{{last: get(to[0].address, host, p.Path, closeConnection)}}}
	switch p.Lookup.Client {
	case lab.GoClient:
		l.names = d
	case lab.CachedClient:
		l.names = &keeping{dialling: d}
	case lab.GlibcClient:
		r, err := openRoom(ctx, at, p.Lookup.Server)
		if err != nil {
			return err
		}
		defer r.close()
		l.names = asking{dialling: d, room: r}
	default:
		return lab.Usagef("a client of names is %s, %s, %s or %s, not %q",
			lab.GoClient, lab.GlibcClient, lab.CurlClient, lab.CachedClient, p.Lookup.Client)
	}
	return l.drive(ctx)
}

// hostOf is the name with a port, as a Host header and a URL have it.
func hostOf(l lab.Lookup, port uint16) string {
	return net.JoinHostPort(l.Name, strconv.Itoa(int(port)))
}

// resolverAt is Go's own resolver (package net, Name Resolution), which asks one
// server from a place whatever resolv.conf(5) says. Where it takes the machine's
// file at its word is in how often and how long it asks. It puts addresses in
// order by the routes of this process (RFC 6724): they are the place's where the
// process is one of [Process].
func resolverAt(at lab.Place, server netip.AddrPort) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return connect(ctx, at, new(net.Dialer), network, server.String())
	}}
}

// connect dials from a place: the socket is made by the thread that dials.
func connect(ctx context.Context, at lab.Place, d *net.Dialer, network, address string) (c net.Conn, err error) {
	err = at.Do(ctx, func() (err error) {
		c, err = d.DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// dialling is [lab.GoClient]: the library does it all.
type dialling struct {
	at      lab.Place
	dialer  net.Dialer
	network string // tcp4 or tcp6: addresses of one type are asked for
	name    string // with a dot at its end, so that nothing is searched for (resolv.conf(5))
	port    string
}

func (d dialling) dial(ctx context.Context) (net.Conn, error) {
	return connect(ctx, d.at, &d.dialer, d.network, net.JoinHostPort(d.name, d.port))
}

// each dials addresses one after the other until one is connected, as programs
// do with what getaddrinfo(3) gives. Its error is the first one, as Go's is.
func (d dialling) each(ctx context.Context, to []netip.Addr) (net.Conn, error) {
	var first error
	for _, a := range to {
		c, err := connect(ctx, d.at, &d.dialer, d.network, net.JoinHostPort(a.String(), d.port))
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// keeping is [lab.CachedClient].
type keeping struct {
	dialling

	mu   sync.Mutex
	kept []netip.Addr
}

func (k *keeping) dial(ctx context.Context) (net.Conn, error) {
	to, err := k.addresses(ctx)
	if err != nil {
		return nil, err
	}
	return k.each(ctx, to)
}

// addresses looks the name up until there was an answer.
func (k *keeping) addresses(ctx context.Context) ([]netip.Addr, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept) > 0 {
		return k.kept, nil
	}
	all, err := k.dialer.Resolver.LookupNetIP(ctx, "ip"+k.network[len("tcp"):], k.name)
	k.kept = all
	return all, err
}

// asking is [lab.GlibcClient]: getent(1) is the C library's resolver.
type asking struct {
	dialling
	room *room
}

func (a asking) dial(ctx context.Context) (net.Conn, error) {
	to, err := a.room.lookUp(ctx, a.name)
	if err != nil {
		return nil, err
	}
	return a.each(ctx, to)
}

// beginNamed looks the name up and connects, before the request's deadline.
func (w *worker) beginNamed(ctx context.Context, s *lab.Sample) (*endpoint, *connection, error) {
	t := w.loop.targets[0]
	ctx, cancel := context.WithDeadline(ctx, w.loop.begun.Add(s.Due+w.loop.plan.Timeout))
	defer cancel()
	c, err := w.loop.names.dial(ctx)
	if err != nil {
		return &t, nil, w.notDialled(err, s)
	}
	defer c.Close() // what takes it over is a file of its own
	t.address = dialled(c.RemoteAddr())
	s.Target = t.address
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return &t, nil, err
	}
	return &t, &connection{File: f, local: dialled(c.LocalAddr())}, nil
}

// notDialled is why there is no connection, in words that tell. It notes the
// address that did not answer, if it came to that.
func (w *worker) notDialled(err error, s *lab.Sample) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		s.Target = dialled(op.Addr)
	}
	// Package net names the server that it would have asked.
	if no, ok := errors.AsType[*net.DNSError](err); ok && no.Server != "" {
		no.Server = w.loop.plan.Lookup.Server.String()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", os.ErrDeadlineExceeded, err)
	}
	return err
}

// dialled is an address of TCP; invalid where it is none.
func dialled(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := t.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
