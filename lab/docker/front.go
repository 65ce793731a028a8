package docker

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/portlab/portlab/lab"
)

// checkFront returns a [lab.UsageError] for a front's address that was asked
// for and is none of those that another machine can call this one by, and names
// them.
func checkFront(spec lab.FleetSpec) error {
	a := spec.FrontAddress
	switch {
	case !a.IsValid():
		return nil
	case !a.Is4():
		return lab.Usagef("--front-address %s: the docker runtime makes IPv4 networks only", a)
	case a.IsLoopback():
		return lab.Usagef("--front-address %s: no other machine can call the loopback address, which the front has in any case", a)
	}
	own, err := callable()
	if err != nil {
		return err
	}
	var all []string
	for _, o := range own {
		if o.address == a {
			return nil
		}
		all = append(all, fmt.Sprintf("%s (%s)", o.address, o.link))
	}
	if len(all) == 0 {
		return lab.Usagef("--front-address %s: this machine has no address by which others could call it", a)
	}
	return lab.Usagef("--front-address %s is not an address of this machine's on a link that is up: there are %s", a, strings.Join(all, ", "))
}

// onLink is an address with the link that it is on.
type onLink struct {
	address netip.Addr
	link    string
}

// callable are this machine's IPv4 addresses on links that are up, but for the
// loopback link.
func callable() ([]onLink, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the machine's links: %w", err)
	}
	var all []onLink
	for _, l := range links {
		if l.Flags&net.FlagUp == 0 || l.Flags&net.FlagLoopback != 0 {
			continue
		}
		addresses, err := l.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list the addresses of %s: %w", l.Name, err)
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				all = append(all, onLink{p.Addr(), l.Name})
			}
		}
	}
	return all, nil
}

// noticeFront says who can call a front that has an address of the machine's own.
func (f *fleet) noticeFront() {
	if front := f.blueprint.Front; f.spec.FrontAddress.IsValid() {
		f.notice(fmt.Sprintf("while the run lasts, port %d of %s is open to all who can reach that address", front.Port, front.Address))
	}
}

// onAnother says that the fleet has no external client of its own.
func onAnother(client netip.Addr) error {
	return &lab.UnsupportedError{
		What: "a place for the external client", Reason: fmt.Sprintf("it is on another machine, %s", client),
		Remedy: "enter it there",
	}
}
