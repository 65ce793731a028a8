package wire

import (
	"fmt"
	"strings"
)

// parser reads the parts of a Structured Field from left to right. Values of
// keys that are not known are read with the same care, because where they end
// depends on what they are.
type parser struct {
	s string
	i int // index of the next byte
}

func (p *parser) done() bool { return p.i == len(p.s) }

// peek is the next byte, and 0 at the end: no Structured Field has that byte.
func (p *parser) peek() byte {
	if p.done() {
		return 0
	}
	return p.s[p.i]
}

func (p *parser) accept(c byte) bool {
	if p.done() || p.s[p.i] != c {
		return false
	}
	p.i++
	return true
}

// skip passes over bytes that are in set.
func (p *parser) skip(set string) {
	p.span(func(c byte) bool { return strings.IndexByte(set, c) >= 0 })
}

// span passes over bytes for which in holds, and returns them.
func (p *parser) span(in func(byte) bool) string {
	from := p.i
	for !p.done() && in(p.s[p.i]) {
		p.i++
	}
	return p.s[from:p.i]
}

func (p *parser) fault(want string) error {
	if p.done() {
		return fmt.Errorf("%s is wanted where the value ends", want)
	}
	return fmt.Errorf("%s is wanted at byte %d, not %q", want, p.i+1, p.s[p.i])
}

// key reads a Key (section 4.2.3.3).
func (p *parser) key() (string, error) {
	if c := p.peek(); !lower(c) && c != '*' {
		return "", p.fault("a key")
	}
	return p.span(func(c byte) bool {
		return lower(c) || digit(c) || strings.IndexByte("_-.*", c) >= 0
	}), nil
}

// itemOrList reads an Item or an Inner List (section 4.2.1.1).
func (p *parser) itemOrList() (value, error) {
	if !p.accept('(') {
		return p.item()
	}
	for {
		p.skip(" ")
		if p.accept(')') {
			return value{kind: kindOther}, p.parameters()
		}
		if _, err := p.item(); err != nil {
			return value{}, err
		}
		if c := p.peek(); c != ' ' && c != ')' {
			return value{}, p.fault("a space or a closing parenthesis")
		}
	}
}

// item reads an Item (section 4.2.3).
func (p *parser) item() (value, error) {
	v, err := p.bareItem()
	if err != nil {
		return value{}, err
	}
	return v, p.parameters()
}

// parameters passes over Parameters (section 4.2.3.2): none has a meaning here.
func (p *parser) parameters() error {
	for p.accept(';') {
		p.skip(" ")
		if _, err := p.key(); err != nil {
			return err
		}
		if !p.accept('=') {
			continue
		}
		if _, err := p.bareItem(); err != nil {
			return err
		}
	}
	return nil
}

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
func alpha(c byte) bool { return lower(c) || c >= 'A' && c <= 'Z' }
func digit(c byte) bool { return c >= '0' && c <= '9' }
