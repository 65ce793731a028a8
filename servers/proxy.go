package servers

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// proxy is a reverse proxy that listens.
type proxy struct {
	path      string // of its configuration
	config    ProxyConfig
	log       *log.Logger
	listeners []net.Listener
	current   atomic.Pointer[pool]
	drainer   drainer
}

// RunProxy runs a reverse proxy on net/http/httputil until ctx ends, and then
// drains for at most [DefaultDrainTimeout].
//
// Requests go to the upstreams of the configuration (see [ProxyConfig]) in
// turn, by weight; the whole process shares one turn. Connections to upstreams
// are kept and used again. An upstream sees the client's address in
// X-Forwarded-For. Clients speak HTTP/1.1, or HTTP/2 with prior knowledge, of
// which each stream takes a turn; upstreams are asked by HTTP/1.1. A WebSocket
// stays with the upstream that its handshake went to, and is cut off at the end
// of the process. Nothing is tried on a second upstream: where one cannot be
// dialled or gives no answer, the client gets status 502 and the reason. (A
// request without a body that meets a kept connection which its upstream has
// just closed is sent to the same upstream once more, as RFC 9112, section
// 9.3.1, allows and net/http does.)
//
// SIGHUP has the file read again. Requests under way end on the connections
// they have; new ones use the new upstreams. A file with a mistake, or with
// other addresses to listen on, changes nothing but the log.
//
// Errors: [ErrConfig] for a bad file, what the system said of an address to
// listen on, or that requests were cut off at the end.
func RunProxy(ctx context.Context, configPath string, log io.Writer) error {
	// First of all: by default SIGHUP ends the process.
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	if ended(ctx) {
		return nil
	}
	p, err := listenProxy(ctx, configPath, log)
	switch {
	case err == nil:
		return p.serve(ctx, reload)
	case ended(ctx):
		return nil // told to end while it started
	}
	return err
}

func listenProxy(ctx context.Context, path string, logTo io.Writer) (*proxy, error) {
	c, err := ReadProxyConfig(path)
	if err != nil {
		return nil, err
	}
	open, err := listen(ctx, c.Listen, false, false)
	if err != nil {
		return nil, err
	}
	p := &proxy{path: path, config: c, listeners: open.streams, log: log.New(logTo, "proxy: ", 0)}
	p.current.Store(newPool(c.Upstreams, p.log))
	p.log.Printf("listening on %s, upstreams %s", join(open.addresses()), names(c.Upstreams))
	return p, nil
}

// serve answers until ctx ends, and reads the configuration again on each
// signal.
func (p *proxy) serve(ctx context.Context, signals <-chan os.Signal) error {
	following, stop := context.WithCancel(ctx)
	var follower sync.WaitGroup
	follower.Go(func() { p.follow(following, signals) })
	hs := &http.Server{
		Handler:           p,
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       idleTimeout,
		ErrorLog:          p.log,
	}
	hs.Protocols.SetHTTP1(true)
	hs.Protocols.SetUnencryptedHTTP2(true)
	err := p.drainer.serve(ctx, hs, sockets{streams: p.listeners}, DefaultDrainTimeout, func() {
		p.log.Printf("draining for at most %v: %v", DefaultDrainTimeout, context.Cause(ctx))
	})
	stop()
	follower.Wait()
	p.current.Load().retire()
	return err
}

func (p *proxy) follow(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-signals:
			p.reload()
		case <-ctx.Done():
			return
		}
	}
}

// ServeHTTP forwards a request to the upstreams of the moment.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.current.Load().ServeHTTP(w, r)
}

// reload reads the configuration again. Only follow calls it, so that config
// needs no lock.
func (p *proxy) reload() {
	c, err := ReadProxyConfig(p.path)
	if err != nil {
		p.log.Printf("not reloaded, the old configuration stays: %v", err)
		return
	}
	if !slices.Equal(c.Listen, p.config.Listen) {
		p.log.Printf("not reloaded, the old configuration stays: \"listen\" cannot change from %s to %s while the proxy runs; start it again",
			join(p.config.Listen), join(c.Listen))
		return
	}
	p.config = c
	p.current.Swap(newPool(c.Upstreams, p.log)).retire()
	p.log.Printf("reloaded, upstreams %s", names(c.Upstreams))
}

func names(upstreams []Upstream) string {
	var all []netip.AddrPort
	for _, u := range upstreams {
		all = append(all, u.Address)
	}
	return join(all)
}
