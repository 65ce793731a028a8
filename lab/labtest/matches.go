package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

func (p *parser) add(m match) error {
	if p.not {
		yes := m
		m = func(w *walker) bool { return !yes(w) }
	}
	p.rule.matches = append(p.rule.matches, m)
	return nil
}

func (p *parser) protocol(v string) error {
	if v != "tcp" && v != "udp" {
		return fmt.Errorf("unknown protocol %q", v)
	}
	p.proto = v
	return p.add(func(w *walker) bool { return w.protocol == v })
}

func (p *parser) network(v string) (netip.Prefix, error) {
	n, err := netip.ParsePrefix(v)
	if err != nil {
		a, err := netip.ParseAddr(v)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("no address or network: %q", v)
		}
		n = netip.PrefixFrom(a, a.BitLen())
	}
	if n.Addr().Is4() != (p.family == lab.IPv4) {
		return netip.Prefix{}, fmt.Errorf("%s is not of IP version %d", v, p.family)
	}
	return n.Masked(), nil
}

func (p *parser) source(v string) error {
	n, err := p.network(v)
	if err != nil {
		return err
	}
	return p.add(func(w *walker) bool { return n.Contains(w.source.Addr()) })
}

func (p *parser) destination(v string) error {
	n, err := p.network(v)
	if err != nil {
		return err
	}
	return p.add(func(w *walker) bool { return n.Contains(w.destination.Addr()) })
}

// linkName refuses what is no name of a link (IFNAMSIZ, netdevice(7)).
func linkName(v string) error {
	if v == "" || len(v) > 15 {
		return fmt.Errorf("a link's name has 1 to 15 characters, not %q", v)
	}
	return nil
}

func (p *parser) incoming(v string) error {
	p.rule.in = true
	return errors.Join(linkName(v), p.add(func(w *walker) bool { return w.in == v }))
}

func (p *parser) outgoing(v string) error {
	p.rule.out = true
	return errors.Join(linkName(v), p.add(func(w *walker) bool { return w.out == v }))
}

func (p *parser) module(v string) error {
	if !slices.Contains(modules, v) {
		return fmt.Errorf("unknown match module %q", v)
	}
	p.loaded, p.idle = append(p.loaded, v), append(p.idle, v)
	return nil
}

func (p *parser) portOf(v string) (uint16, error) {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("no port: %q", v)
	}
	return uint16(n), nil
}

func (p *parser) destinationPort(v string) error {
	n, err := p.portOf(v)
	if p.proto == "" {
		err = errors.New("--dport needs -p before it")
	}
	return errors.Join(err, p.add(func(w *walker) bool { return w.destination.Port() == n }))
}

func (p *parser) sourcePort(v string) error {
	n, err := p.portOf(v)
	if p.proto == "" {
		err = errors.New("--sport needs -p before it")
	}
	return errors.Join(err, p.add(func(w *walker) bool { return w.source.Port() == n }))
}

// comment has at most 255 characters (linux/netfilter/xt_comment.h).
func (p *parser) comment(v string) error {
	if len(v) > 255 {
		return errors.New("a comment has at most 255 characters")
	}
	return nil
}

func (p *parser) destinationType(v string) error {
	if v != "LOCAL" {
		return fmt.Errorf("unknown address type %q", v)
	}
	return p.add(func(w *walker) bool { return w.host.isLocal(w.destination.Addr()) })
}

// state knows the states that the first packet of a connection can have, and
// those that it cannot have.
func (p *parser) state(v string) error {
	states := strings.Split(v, ",")
	for _, s := range states {
		if !slices.Contains([]string{"NEW", "DNAT", "SNAT", "ESTABLISHED", "RELATED", "INVALID"}, s) {
			return fmt.Errorf("unknown connection state %q", s)
		}
	}
	isNew, translated := slices.Contains(states, "NEW"), slices.Contains(states, "DNAT")
	return p.add(func(w *walker) bool { return isNew || translated && w.translated })
}

func (p *parser) original(v string) error {
	n, err := p.network(v)
	if err != nil {
		return err
	}
	return p.add(func(w *walker) bool { return n.Contains(w.original.Addr()) })
}

func (p *parser) originalPort(v string) error {
	n, err := p.portOf(v)
	return errors.Join(err, p.add(func(w *walker) bool { return w.original.Port() == n }))
}

func (p *parser) action(v string) error {
	if p.rule.target != "" || p.rule.jump != "" {
		return errors.New("two targets")
	}
	switch v {
	case "ACCEPT", "DROP", "RETURN", "DNAT", "MASQUERADE":
		p.rule.target = v
	default:
		p.rule.jump = v
	}
	return nil
}

func (p *parser) toDestination(v string) error {
	to, err := netip.ParseAddrPort(v)
	if err != nil {
		a, err := netip.ParseAddr(v)
		if err != nil {
			return fmt.Errorf("no address: %q", v)
		}
		to = netip.AddrPortFrom(a, 0)
	}
	if to.Addr().Is4() != (p.family == lab.IPv4) {
		return fmt.Errorf("%s is not of IP version %d", v, p.family)
	}
	p.rule.to = to
	return nil
}
