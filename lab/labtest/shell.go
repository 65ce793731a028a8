package labtest

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Shell runs lines as a user would paste them: iptables and ip6tables with -N,
// -A, -I, -D, -F or -X, sysctl -w, conntrack -D, nft with a table to make or to
// delete, ip route replace and del, ipvsadm, and the pipe that gives a bridge's
// ports the hairpin mode. It refuses any other, a comment excepted.
func (h *Host) Shell(lines ...string) error {
	for _, line := range lines {
		if err := h.line(line); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func (h *Host) line(line string) error {
	for _, special := range []func(string) (bool, error){h.hairpinLine, h.nftScript, h.bpfLine} {
		if understood, err := special(line); understood {
			return err
		}
	}
	words, err := split(line)
	if err != nil || len(words) == 0 {
		return err
	}
	return h.command(words)
}

func (h *Host) command(words []string) error {
	switch words[0] {
	case "iptables":
		return h.iptables(lab.IPv4, words[1:])
	case "ip6tables":
		return h.iptables(lab.IPv6, words[1:])
	case "sysctl":
		if len(words) == 3 && words[1] == "-w" {
			if name, value, ok := strings.Cut(words[2], "="); ok {
				return h.Sysctls().Set(name, value)
			}
		}
	case "conntrack":
		return h.conntrack(words[1:])
	case "ip":
		return h.ipRoute(words[1:])
	case "ipvsadm":
		return h.ipvsadm(words[1:])
	case "nft":
		return h.nftDelete(words[1:])
	}
	return fmt.Errorf("not understood: %q", words)
}

func (h *Host) iptables(ip lab.Family, words []string) error {
	if len(words) < 4 || words[0] != "-t" {
		return fmt.Errorf("-t TABLE, a command and a chain were expected: %q", words)
	}
	table, chain, rule := words[1], words[3], words[4:]
	f := &rules{h: h, family: ip}
	switch words[2] {
	case "-N":
		return f.NewChain(table, chain)
	case "-A":
		return f.add(table, chain, rule...)
	case "-I":
		return f.Insert(table, chain, rule...)
	case "-D":
		return f.deleteOne(table, chain, rule)
	case "-F":
		return f.SetChain(table, chain, nil)
	case "-X":
		return f.deleteEmpty(table, chain)
	}
	return fmt.Errorf("unknown command %q", words[2])
}

// deleteOne is stricter than [lab.Rules]: iptables -D fails where there is none.
func (r *rules) deleteOne(table, chain string, words []string) error {
	before := r.h.Dump()
	if err := r.Delete(table, chain, words...); err != nil {
		return err
	}
	if r.h.Dump() == before {
		return errors.New("bad rule (does a matching rule exist in that chain?)")
	}
	return nil
}

// deleteEmpty is stricter than [lab.Rules]: iptables -X fails where there is
// no chain and where it has rules.
func (r *rules) deleteEmpty(table, name string) error {
	r.h.mu.Lock()
	c := r.h.filters[r.family][table][name]
	r.h.mu.Unlock()
	switch {
	case c == nil:
		return fmt.Errorf("no chain/target/match by that name: %s", name)
	case len(c.rules) > 0:
		return fmt.Errorf("directory not empty: %s", name)
	}
	return r.DeleteChain(table, name)
}

func (h *Host) conntrack(words []string) error {
	form := "-D -p %s -d %s --orig-port-dst %s -r %s --reply-port-src %s || true"
	want := strings.Fields(form)
	if len(words) != len(want) {
		return fmt.Errorf("not of the form conntrack "+form, "PROTOCOL", "ADDRESS", "PORT", "ADDRESS", "PORT")
	}
	var values []string
	for i, w := range want {
		if w == "%s" {
			values = append(values, words[i])
		} else if w != words[i] {
			return fmt.Errorf("%s was expected, not %q", w, words[i])
		}
	}
	front, err := netip.ParseAddrPort(net.JoinHostPort(values[1], values[2]))
	if err != nil {
		return err
	}
	replica, err := netip.ParseAddrPort(net.JoinHostPort(values[3], values[4]))
	if err != nil {
		return err
	}
	if values[0] != "tcp" && values[0] != "udp" {
		return fmt.Errorf("unknown protocol %q", values[0])
	}
	_, err = flows{h}.forget([]netip.AddrPort{front}, []netip.AddrPort{replica}, func(f Flow) bool {
		return cmp.Or(f.Transport, "tcp") == values[0]
	})
	return err
}

// split parts a line into words, with single quotes as in sh(1).
func split(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quoted := false, false
	for _, c := range line {
		switch {
		case c == '\'':
			quoted, inWord = !quoted, true
		case quoted:
			word.WriteRune(c)
		case c == '#' && !inWord:
			return words, nil
		case c == ' ':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case strings.ContainsRune("$`\"\\;<>()*?[]\n\t", c):
			return nil, fmt.Errorf("%q is not understood outside of quotes", c)
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
