package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// schemes say what is spoken to a URL, and at which port if it names none.
var schemes = map[string]struct {
	protocol lab.Protocol
	port     uint16
}{
	"http": {lab.HTTP1, 80},
	"h2c":  {lab.HTTP2, 80},
	"ws":   {lab.WebSocket, 80},
	"tcp":  {lab.TCP, 0},
	"udp":  {lab.UDP, 0},
}

// destination is what the URLs of a load come to.
type destination struct {
	protocol lab.Protocol
	path     string
	host     string   // for the Host header; empty: the address
	names    []string // each URL, with the address that its name has
	targets  []netip.AddrPort
}

// findDestination reads URLs and looks their names up. All must be of one
// protocol, path and IP version. It returns a [lab.UsageError] for what cannot
// be offered load, or does not exist.
func findDestination(ctx context.Context, urls []string, ip lab.Family) (*destination, error) {
	d := &destination{}
	for i, text := range urls {
		u, err := readURL(text)
		if err != nil {
			return nil, err
		}
		protocol, path, host := schemes[u.Scheme].protocol, u.RequestURI(), hostHeader(u)
		switch {
		case i == 0:
			d.protocol, d.path, d.host = protocol, path, host
		case protocol != d.protocol || path != d.path:
			return nil, lab.Usagef("all URLs of a load must be of one scheme and path, not %s and %s", urls[0], text)
		case host != d.host:
			d.host = "" // each is called by its address
		}
		to, err := resolve(ctx, u, ip)
		if err != nil {
			return nil, err
		}
		ip = familyOf(to.Addr())
		name := text
		if host != "" {
			name += " at " + to.String()
		}
		d.names, d.targets = append(d.names, name), append(d.targets, to)
	}
	return d, nil
}

// readURL refuses what portlab does not speak.
func readURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		return nil, lab.Usagef("%s is no URL: write http://%s", text, text)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, lab.Usagef("%s is no URL: %v", text, errors.Unwrap(err))
	}
	scheme, known := schemes[u.Scheme]
	switch {
	case u.Scheme == "https" || u.Scheme == "wss":
		return nil, lab.Usagef("%s: portlab does not speak TLS: offer load to the server behind it, by http:// or h2c:// or ws://", text)
	case !known:
		return nil, lab.Usagef("%s: portlab speaks http, h2c (HTTP/2 with prior knowledge), ws, tcp and udp, not %q", text, u.Scheme)
	case u.Hostname() == "":
		return nil, lab.Usagef("%s names no host", text)
	case u.Port() == "" && scheme.port == 0:
		return nil, lab.Usagef("%s names no port: write %s://%s:PORT", text, u.Scheme, u.Host)
	case u.User != nil:
		return nil, lab.Usagef("%s: portlab sends no user and no password: leave them out", text)
	}
	return u, nil
}

// hostHeader is the Host of a request to a name; an address needs none.
func hostHeader(u *url.URL) string {
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return ""
	}
	return u.Host
}

// resolve gives the address and port of a URL: the first that the system's
// resolver names for this IP version, or for any.
func resolve(ctx context.Context, u *url.URL, ip lab.Family) (netip.AddrPort, error) {
	port := schemes[u.Scheme].port
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return netip.AddrPort{}, lab.Usagef("%s: the port must be from 1 to 65535, not %s", u, text)
		}
		port = uint16(n)
	}
	network := "ip"
	if ip != 0 {
		network = fmt.Sprintf("ip%d", ip)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, network, u.Hostname())
	unknown, isDNS := errors.AsType[*net.DNSError](err)
	_, isLiteral := errors.AsType[*net.AddrError](err) // of the other IP version
	if isDNS && unknown.IsNotFound || isLiteral || err == nil && len(found) == 0 {
		return netip.AddrPort{}, lab.Usagef("%s: %s has no address%s", u, u.Hostname(), ofFamily(ip))
	}
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("look up %s: %w", u.Hostname(), err)
	}
	return netip.AddrPortFrom(found[0].Unmap(), port), nil
}

func ofFamily(ip lab.Family) string {
	if ip == 0 {
		return ""
	}
	return fmt.Sprintf(" of IPv%d", ip)
}

func familyOf(a netip.Addr) lab.Family {
	if a.Is4() {
		return lab.IPv4
	}
	return lab.IPv6
}

// String says where the load goes, such as "http://web/ at 192.0.2.1:80".
func (d *destination) String() string { return strings.Join(d.names, ", ") }

// vantage is where this machine stands towards the targets.
func (d *destination) vantage() lab.Vantage {
	own := ownAddresses()
	v := lab.Localhost
	for _, t := range d.targets {
		switch {
		case t.Addr().IsLoopback():
		case slices.Contains(own, t.Addr()):
			v = lab.OnHost
		default:
			return lab.External
		}
	}
	return v
}

// ownAddresses are those of this machine's links; none if they cannot be told.
func ownAddresses() []netip.Addr {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []netip.Addr
	for _, a := range addresses {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			all = append(all, p.Addr())
		}
	}
	return all
}
