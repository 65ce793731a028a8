package load

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/portlab/portlab/lab"
)

// newDialect returns a lab.UsageError for a path or a host that cannot stand in
// an address of the web.
func newDialect(l *streamsLoad) (dialect, error) {
	for _, t := range l.targets {
		if _, err := urlOf(t.address, l.plan); err != nil {
			return nil, err
		}
	}
	transport := &http.Transport{
		DialContext:            stood,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConnsPerHost:    -1, // none is anybody else's
		Protocols:              new(http.Protocols),
	}
	if l.plan.Protocol == lab.WebSocket {
		transport.Protocols.SetHTTP1(true)
		client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		return func(ctx context.Context, on *link) (session, error) { return dialWebSocket(ctx, on, client) }, nil
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	return func(ctx context.Context, on *link) (session, error) { return dialHTTP2(ctx, on, transport) }, nil
}

// standingKey is the key of a connection in the context of whoever dials.
type standingKey struct{}

// stood gives a transport the connection that stands already: only sockets of
// the client's place are of use.
func stood(ctx context.Context, _, _ string) (net.Conn, error) {
	c, ok := ctx.Value(standingKey{}).(*streamsConn)
	if !ok {
		return nil, errors.New("a connection that was not asked for")
	}
	return c, nil
}

// urlOf is what is asked for at a target.
func urlOf(to netip.AddrPort, p lab.Plan) (*url.URL, error) {
	// A zone has no meaning outside the client (RFC 6874, 1).
	host := netip.AddrPortFrom(to.Addr().WithZone(""), to.Port()).String()
	u, err := url.Parse("http://" + host + p.Path)
	if err != nil {
		return nil, lab.Usagef("the path of the request: %v", err)
	}
	if v, err := url.Parse("http://" + p.Host + "/"); p.Host != "" && (err != nil || v.Host != p.Host) {
		return nil, lab.Usagef("the host must be a name or an address, and perhaps a port, not %q", p.Host)
	}
	return u, nil
}

// header is that of every request.
func header() http.Header {
	return http.Header{"User-Agent": {"portlab"}, "Accept": {"*/*"}}
}
