package labtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/portlab/portlab/lab"
)

// rule is one rule, parsed.
type rule struct {
	words   []string
	matches []match
	target  string         // ACCEPT, DROP, RETURN, DNAT, MASQUERADE; empty for a jump
	jump    string         // the chain to go on in
	to      netip.AddrPort // of DNAT; port 0 leaves the port alone
	in, out bool           // it matches by incoming, outgoing link
}

// match says whether a packet is meant by one part of a rule.
type match func(*walker) bool

// parser reads the words of a rule from left to right.
type parser struct {
	family lab.Family
	rest   []string
	not    bool // a "!" stands before the present option
	rule   rule
	proto  string
	loaded []string // match modules, by -m
	idle   []string // those of them that were given no option
}

// options lists, by module, the options that are understood; "" needs no module.
var options = map[string]map[string]func(*parser, string) error{
	"": {
		"-p": (*parser).protocol, "-s": (*parser).source, "-d": (*parser).destination,
		"-i": (*parser).incoming, "-o": (*parser).outgoing, "-m": (*parser).module, "-j": (*parser).action,
		"--dport": (*parser).destinationPort, "--sport": (*parser).sourcePort,
		"--to-destination": (*parser).toDestination,
	},
	"comment":   {"--comment": (*parser).comment},
	"addrtype":  {"--dst-type": (*parser).destinationType},
	"conntrack": {"--ctstate": (*parser).state, "--ctorigdst": (*parser).original, "--ctorigdstport": (*parser).originalPort},
	"statistic": {"--mode": (*parser).mode},
}

// modules are the match modules that are understood.
var modules = []string{"comment", "addrtype", "conntrack", "statistic"}

func parseRule(ip lab.Family, words []string) (rule, error) {
	p := &parser{family: ip, rest: words, rule: rule{words: slices.Clone(words)}}
	for len(p.rest) > 0 {
		if err := p.option(); err != nil {
			return rule{}, err
		}
	}
	return p.finish()
}

// option reads one option with its value.
func (p *parser) option() error {
	p.not = p.rest[0] == "!"
	if p.not {
		p.rest = p.rest[1:]
	}
	name, err := p.next("an option")
	if err != nil {
		return err
	}
	read := options[""][name]
	for _, module := range p.loaded {
		if f := options[module][name]; f != nil {
			read = f
			p.idle = slices.DeleteFunc(p.idle, func(m string) bool { return m == module })
		}
	}
	if read == nil {
		return fmt.Errorf("unknown option %q", name)
	}
	value, err := p.next("the value of " + name)
	if err != nil {
		return err
	}
	if p.not && !slices.Contains([]string{"-s", "-d", "-i", "-o", "--dport", "--dst-type", "--ctstate"}, name) {
		return fmt.Errorf("unknown use of ! before %s", name)
	}
	return read(p, value)
}

func (p *parser) next(what string) (string, error) {
	if len(p.rest) == 0 {
		return "", errors.New(what + " is missing")
	}
	word := p.rest[0]
	p.rest = p.rest[1:]
	return word, nil
}

func (p *parser) finish() (rule, error) {
	switch {
	case p.rule.target == "" && p.rule.jump == "":
		return rule{}, errors.New("no target")
	case len(p.idle) > 0:
		return rule{}, fmt.Errorf("at least one option of %v is required", p.idle)
	case p.rule.target == "DNAT" && !p.rule.to.IsValid():
		return rule{}, errors.New("DNAT needs --to-destination")
	case p.rule.target != "DNAT" && p.rule.to.IsValid():
		return rule{}, errors.New("--to-destination is for DNAT")
	case p.rule.to.Port() != 0 && p.proto == "":
		return rule{}, errors.New("need TCP, UDP, SCTP or DCCP with port specification")
	}
	return p.rule, nil
}

// fits refuses a link where there is none.
func (r rule) fits(chain string) error {
	switch {
	case r.in && (chain == "OUTPUT" || chain == "POSTROUTING"):
		return fmt.Errorf("can't use -i with %s", chain)
	case r.out && (chain == "INPUT" || chain == "PREROUTING"):
		return fmt.Errorf("can't use -o with %s", chain)
	}
	return nil
}
