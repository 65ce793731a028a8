package servers

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// Limits of the proxy's connections to its upstreams.
const (
	upstreamDialTimeout = 5 * time.Second
	// An upstream may take MaxDelay, and some more to be scheduled.
	upstreamAnswerTimeout = MaxDelay + 30*time.Second
	// Shorter than idleTimeout, so that it is the proxy that closes.
	upstreamIdleTimeout = time.Minute
	// net/http keeps 2 by default, which would dial anew for most requests.
	upstreamIdlePerHost = 256
)

// pool forwards requests to one set of upstreams, with a turn and connections
// of its own.
type pool struct {
	*httputil.ReverseProxy
	transport *http.Transport
}

func newPool(upstreams []Upstream, errorLog *log.Logger) *pool {
	turn := newBalancer(upstreams)
	transport := &http.Transport{
		Proxy:                 nil, // the environment's proxy is not for upstreams
		DialContext:           (&net.Dialer{Timeout: upstreamDialTimeout}).DialContext,
		DisableCompression:    true, // what the client did not ask for, the upstream must not see
		ResponseHeaderTimeout: upstreamAnswerTimeout,
		IdleConnTimeout:       upstreamIdleTimeout,
		MaxIdleConnsPerHost:   upstreamIdlePerHost,
	}
	return &pool{transport: transport, ReverseProxy: &httputil.ReverseProxy{
		Transport: transport,
		ErrorLog:  errorLog,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = turn.next().String()
			// As nginx's $proxy_add_x_forwarded_for: what came, then the client.
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		ErrorHandler: badGateway,
		BufferPool:   &copyBuffers,
	}}
}

// retire closes idle connections. Those in use are closed when their request
// is done; one that a request takes at this very moment is kept for
// upstreamIdleTimeout.
func (p *pool) retire() { p.transport.CloseIdleConnections() }

// badGateway answers for an upstream that did not.
func badGateway(w http.ResponseWriter, r *http.Request, err error) {
	http.Error(w, fmt.Sprintf("portlab proxy: upstream %s did not answer: %v", r.URL.Host, err), http.StatusBadGateway)
}

// buffers is an [httputil.BufferPool]. Without one, each answer's body
// allocates 32 KiB.
type buffers struct{ pool sync.Pool }

var copyBuffers = buffers{pool: sync.Pool{New: func() any { return new([32 << 10]byte) }}}

func (b *buffers) Get() []byte     { return b.pool.Get().(*[32 << 10]byte)[:] }
func (b *buffers) Put(used []byte) { b.pool.Put((*[32 << 10]byte)(used)) }
