package servers

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// The orders in which a name server gives a name's addresses, as BIND's
// rrset-order has them (named.conf(5)).
const (
	OrderRotate = "rotate" // each answer begins one address later: cyclic
	OrderFixed  = "fixed"  // as they are configured
	OrderRandom = "random" // shuffled for each answer
)

// maxNames is how many addresses a name may have: more of IPv6 do not fit into
// an answer, whose length has two bytes (RFC 1035, 4.2.2).
const maxNames = 2000

// maxTTL is the longest time to live, in seconds (RFC 2181, 8).
const maxTTL = 1<<31 - 1

// NamesConfig is the configuration of the name server: a JSON object such as
//
//	{"listen":["198.19.0.1:8080"],"name":"web.portlab.test.","ttl":"30s","order":"rotate","addresses":["198.18.0.2"]}
//
// There is at least one address to listen on; the name may have no address.
type NamesConfig struct {
	Listen []netip.AddrPort // of TCP and of UDP
	Name   dnsmessage.Name
	// TTL is how long an answer may be kept, in whole seconds.
	TTL       time.Duration
	Order     string // one of OrderRotate, OrderFixed, OrderRandom
	Addresses []netip.Addr
}

// ReadNamesConfig reads a configuration from a file. A mistake in it, such as a
// field that is not known, is an [ErrConfig] that names the file and the entry.
func ReadNamesConfig(path string) (NamesConfig, error) {
	return readConfig(path, "the name server's configuration", parseNamesConfig)
}

// namesFile is a [NamesConfig] as text, so that errors can show what was given.
type namesFile struct {
	Listen    []string `json:"listen"`
	Name      string   `json:"name"`
	TTL       string   `json:"ttl"`
	Order     string   `json:"order"`
	Addresses []string `json:"addresses"`
}

func parseNamesConfig(text []byte) (NamesConfig, error) {
	var file namesFile
	if err := decodeStrictly(text, &file); err != nil {
		return NamesConfig{}, err
	}
	c, err := file.config()
	if err == nil {
		err = c.check()
	}
	return c, err
}

func (f namesFile) config() (c NamesConfig, err error) {
	for i, text := range f.Listen {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return c, fmt.Errorf(`"listen" entry %d: %q is no address and port, such as 0.0.0.0:53`, i+1, text)
		}
		c.Listen = append(c.Listen, a)
	}
	for i, text := range f.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return c, fmt.Errorf(`"addresses" entry %d: %q is no address, such as 198.18.0.2`, i+1, text)
		}
		c.Addresses = append(c.Addresses, a)
	}
	if c.TTL, err = time.ParseDuration(f.TTL); err != nil {
		return c, fmt.Errorf(`"ttl": %q is no duration, such as 30s`, f.TTL)
	}
	if c.Name, err = dnsmessage.NewName(f.Name); err != nil {
		return c, fmt.Errorf(`"name": %q: %w`, f.Name, err)
	}
	c.Order = f.Order
	return c, nil
}

func (c NamesConfig) check() error {
	switch {
	case len(c.Listen) == 0:
		return errors.New(`"listen" names no address`)
	case c.TTL < 0 || c.TTL > maxTTL*time.Second || c.TTL%time.Second != 0:
		return fmt.Errorf(`"ttl" must be whole seconds, from 0s to %ds, not %s`, maxTTL, c.TTL)
	case c.Order != OrderRotate && c.Order != OrderFixed && c.Order != OrderRandom:
		return fmt.Errorf(`"order" must be %s, %s or %s, not %q`, OrderRotate, OrderFixed, OrderRandom, c.Order)
	case len(c.Addresses) > maxNames:
		return fmt.Errorf(`"addresses" has %d entries, and an answer holds %d`, len(c.Addresses), maxNames)
	}
	for i, a := range c.Addresses {
		if slices.Contains(c.Addresses[:i], a) {
			return fmt.Errorf(`"addresses" names %s twice`, a)
		}
	}
	// A root, or a name that does not end in a dot, is not the name of a host.
	q := dnsmessage.Question{Name: c.Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	if _, err := (&dnsmessage.Message{Questions: []dnsmessage.Question{q}}).Pack(); err != nil || c.Name.Length < 2 {
		return fmt.Errorf(`"name" must be whole and end in a dot, such as web.portlab.test., not %q`, c.Name)
	}
	return nil
}
