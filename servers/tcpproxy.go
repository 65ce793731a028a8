package servers

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// tcpProxy carries TCP connections to upstreams.
type tcpProxy struct {
	follower
	listeners []net.Listener
	turn      atomic.Pointer[balancer]

	mu       sync.Mutex
	open     map[net.Conn]struct{}
	carrying sync.WaitGroup
}

// carryOn is how long connections may go on when the proxy of TCP is told to end:
// it cannot tell one that is idle from one that waits for an answer.
const carryOn = time.Second

// RunTCPProxy runs a proxy of TCP connections until ctx ends; then it lets those
// that it carries go on for a second, and cuts the rest off.
//
// Connections go to the upstreams of the configuration (see [ProxyConfig]) in
// turn, by weight; one that cannot be dialled is passed over, and where none
// can, the client's connection is closed. The kernel moves the bytes
// (splice(2), by way of [net.TCPConn.ReadFrom]), and each direction ends by
// itself. SIGHUP has the file read again, as with [RunProxy]: connections stay
// where they are, new ones go to the new upstreams.
//
// Errors: [ErrConfig] for a bad file, or what the system said of an address to
// listen on.
func RunTCPProxy(ctx context.Context, configPath string, logTo io.Writer) error {
	// First of all: by default SIGHUP ends the process.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	if ended(ctx) {
		return nil
	}
	c, err := ReadProxyConfig(configPath)
	if err != nil {
		return err
	}
	on, err := listen(ctx, c.Listen, false, false)
	if err != nil {
		if ended(ctx) {
			return nil // told to end while it started
		}
		return err
	}
	p := &tcpProxy{listeners: on.streams, open: map[net.Conn]struct{}{}}
	p.follower = follower{path: configPath, config: c, log: log.New(logTo, "tcp-proxy: ", 0), use: p.use}
	p.use(c.Upstreams)
	p.log.Printf("listening on %s, upstreams %s", join(on.addresses()), names(c.Upstreams))
	return p.serve(ctx, reload)
}

// use has new connections go to these upstreams.
func (p *tcpProxy) use(upstreams []Upstream) { p.turn.Store(newBalancer(upstreams)) }

func (p *tcpProxy) serve(ctx context.Context, signals <-chan os.Signal) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	var working sync.WaitGroup
	working.Go(func() { p.follow(following, signals) })
	failed := make(chan error, len(p.listeners))
	for _, l := range p.listeners {
		working.Go(func() { failed <- p.accept(context.WithoutCancel(ctx), l) })
	}
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		p.log.Printf("draining for at most %v: %v", carryOn, context.Cause(ctx))
	}
	stop()
	err = errors.Join(err, closeAll(p.listeners))
	working.Wait()
	p.drain()
	return err
}

// drain returns when no connection is open.
func (p *tcpProxy) drain() {
	over := time.AfterFunc(carryOn, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for c := range p.open {
			_ = c.Close() // what carries it sees that
		}
	})
	defer over.Stop()
	p.carrying.Wait()
}

// accept takes connections until the listener is closed.
func (p *tcpProxy) accept(ctx context.Context, l net.Listener) error {
	for {
		client, err := l.Accept()
		switch {
		case err == nil:
			p.carrying.Go(func() { p.carry(ctx, client) })
		case errors.Is(err, net.ErrClosed):
			return nil
		case !passing(err):
			return err
		}
	}
}

// passing says whether an error is one of a connection, or of one moment
// (accept(2)).
func passing(err error) bool {
	return errors.Is(err, syscall.ECONNABORTED) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) ||
		errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// carry moves the bytes of a connection both ways until both have ended.
func (p *tcpProxy) carry(ctx context.Context, client net.Conn) {
	defer p.part(client)
	p.hold(client)
	upstream, err := p.dial(ctx)
	if err != nil {
		p.log.Printf("no upstream for %s: %v", client.RemoteAddr(), err)
		return
	}
	defer p.part(upstream)
	p.hold(upstream)
	var both sync.WaitGroup
	both.Go(func() { move(upstream.(*net.TCPConn), client.(*net.TCPConn)) })
	move(client.(*net.TCPConn), upstream.(*net.TCPConn))
	both.Wait()
}

// dial connects to the upstream whose turn it is or, where that fails, to one
// of the others.
func (p *tcpProxy) dial(ctx context.Context) (net.Conn, error) {
	turn := p.turn.Load()
	first := turn.next()
	all := []netip.AddrPort{first}
	for i := range turn.peers {
		other := turn.peers[i].Address // which alone never changes
		if other != first {
			all = append(all, other)
		}
	}
	var errs []error
	d := net.Dialer{Timeout: upstreamDialTimeout}
	d.SetMultipathTCP(false)
	for _, at := range all {
		c, err := d.DialContext(ctx, "tcp", at.String())
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// move moves bytes until their source ends, and says so to whom they are for.
// One that fails cannot be told: both connections end.
func move(to, from *net.TCPConn) {
	if _, err := to.ReadFrom(from); err != nil {
		_, _ = to.Close(), from.Close()
		return
	}
	_ = to.CloseWrite() // it may have been closed by its peer
}

func (p *tcpProxy) hold(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = struct{}{}
}

func (p *tcpProxy) part(c net.Conn) {
	_ = c.Close() // twice, perhaps
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}
