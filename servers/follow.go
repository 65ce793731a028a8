package servers

import (
	"context"
	"log"
	"net/netip"
	"os"
	"slices"
)

// follower keeps a proxy to its configuration's file.
type follower struct {
	path   string
	config ProxyConfig
	log    *log.Logger
	use    func([]Upstream) // has the proxy take others
}

// follow reads the file again on each signal, until ctx ends.
func (f *follower) follow(ctx context.Context, signals <-chan os.Signal) {
	for {
		select {
		case <-signals:
			f.reload()
		case <-ctx.Done():
			return
		}
	}
}

// reload reads the configuration again. Only follow calls it, so that config
// needs no lock.
func (f *follower) reload() {
	c, err := ReadProxyConfig(f.path)
	if err != nil {
		f.log.Printf("not reloaded, the old configuration stays: %v", err)
		return
	}
	if !slices.Equal(c.Listen, f.config.Listen) {
		f.log.Printf("not reloaded, the old configuration stays: \"listen\" cannot change from %s to %s while the proxy runs; start it again",
			join(f.config.Listen), join(c.Listen))
		return
	}
	f.config = c
	f.use(c.Upstreams)
	f.log.Printf("reloaded, upstreams %s", names(c.Upstreams))
}

func names(upstreams []Upstream) string {
	var all []netip.AddrPort
	for _, u := range upstreams {
		all = append(all, u.Address)
	}
	return join(all)
}
