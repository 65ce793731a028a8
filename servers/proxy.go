package servers

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// proxy is a reverse proxy that listens.
type proxy struct {
	follower
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
	p := &proxy{listeners: open.streams}
	p.follower = follower{path: path, config: c, log: log.New(logTo, "proxy: ", 0), use: p.use}
	p.current.Store(newPool(c.Upstreams, p.log))
	p.log.Printf("listening on %s, upstreams %s", join(open.addresses()), names(c.Upstreams))
	return p, nil
}

// serve answers until ctx ends, and reads the configuration again on each
// signal.
func (p *proxy) serve(ctx context.Context, signals <-chan os.Signal) error {
	following, stop := context.WithCancel(ctx)
	var reloading sync.WaitGroup
	reloading.Go(func() { p.follow(following, signals) })
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
	reloading.Wait()
	p.current.Load().retire()
	return err
}

// ServeHTTP forwards a request to the upstreams of the moment.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.current.Load().ServeHTTP(w, r)
}

// use has requests go to these upstreams from now on.
func (p *proxy) use(upstreams []Upstream) { p.current.Swap(newPool(upstreams, p.log)).retire() }
