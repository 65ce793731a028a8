package servers

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// maxWeight keeps sums of weights exact enough for the turn of [balancer].
const maxWeight = 1e9

// ProxyConfig is the configuration of the reverse proxy: a JSON object such as
//
//	{"listen":["0.0.0.0:8080"],"upstreams":[{"address":"198.18.0.2:80","weight":1}]}
//
// Both lists have at least one entry, and no address comes twice.
type ProxyConfig struct {
	Listen    []netip.AddrPort `json:"listen"` // port 0: one that the kernel picks
	Upstreams []Upstream       `json:"upstreams"`
}

// Upstream is a server behind the proxy.
type Upstream struct {
	Address netip.AddrPort `json:"address"`
	// Weight is its share of the requests relative to the others' weights;
	// more than 0, at most 1e9.
	Weight float64 `json:"weight"`
}

// ReadProxyConfig reads a configuration from a file. A mistake in it, such as
// a field that is not known, is an [ErrConfig] that names the file and the
// entry.
func ReadProxyConfig(path string) (ProxyConfig, error) {
	return readConfig(path, "the proxy's configuration", parseProxyConfig)
}

// proxyFile is a [ProxyConfig] with its addresses as text, because the errors
// of netip.AddrPort's own decoding do not show what it was given.
type proxyFile struct {
	Listen    []string `json:"listen"`
	Upstreams []struct {
		Address string  `json:"address"`
		Weight  float64 `json:"weight"`
	} `json:"upstreams"`
}

func parseProxyConfig(text []byte) (ProxyConfig, error) {
	var file proxyFile
	if err := decodeStrictly(text, &file); err != nil {
		return ProxyConfig{}, err
	}
	c, err := file.config()
	if err == nil {
		err = c.check()
	}
	return c, err
}

func (f proxyFile) config() (ProxyConfig, error) {
	var c ProxyConfig
	for i, text := range f.Listen {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return c, fmt.Errorf(`"listen" entry %d: %q is no address and port, such as 0.0.0.0:8080`, i+1, text)
		}
		c.Listen = append(c.Listen, a)
	}
	for i, u := range f.Upstreams {
		a, err := netip.ParseAddrPort(u.Address)
		if err != nil {
			return c, fmt.Errorf(`"upstreams" entry %d: "address" %q is no address and port, such as 198.18.0.2:80`, i+1, u.Address)
		}
		c.Upstreams = append(c.Upstreams, Upstream{Address: a, Weight: u.Weight})
	}
	return c, nil
}

func (c ProxyConfig) check() error {
	if len(c.Listen) == 0 {
		return errors.New(`"listen" names no address`)
	}
	for i, a := range c.Listen {
		if slices.Contains(c.Listen[:i], a) {
			return fmt.Errorf(`"listen" names %s twice`, a)
		}
	}
	if len(c.Upstreams) == 0 {
		return errors.New(`"upstreams" names no server`)
	}
	for i, u := range c.Upstreams {
		if err := u.check(); err != nil {
			return fmt.Errorf(`"upstreams" entry %d: %w`, i+1, err)
		}
		same := func(v Upstream) bool { return v.Address == u.Address }
		if slices.ContainsFunc(c.Upstreams[:i], same) {
			return fmt.Errorf(`"upstreams" names %s twice; give it a weight instead`, u.Address)
		}
	}
	return nil
}

func (u Upstream) check() error {
	switch {
	case u.Address.Port() == 0:
		return fmt.Errorf("%s has port 0, which nobody can dial", u.Address)
	case !(u.Weight > 0 && u.Weight <= maxWeight):
		return fmt.Errorf(`%s needs a "weight" of more than 0 and at most %g, not %g`, u.Address, float64(maxWeight), u.Weight)
	}
	return nil
}
