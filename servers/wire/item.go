package wire

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// bareItem reads a Bare Item (section 4.2.3.1).
func (p *parser) bareItem() (value, error) {
	other := value{kind: kindOther}
	switch c := p.peek(); {
	case c == '-' || digit(c):
		return p.number()
	case c == '"':
		return p.quoted()
	case c == '%':
		return p.display()
	case c == '*' || alpha(c):
		p.span(tokenByte)
		return other, nil
	case c == ':':
		return other, p.byteSequence()
	case c == '?':
		return other, p.boolean()
	case c == '@':
		return other, p.date()
	}
	return value{}, p.fault("a value")
}

// number reads an Integer or a Decimal (section 4.2.4).
func (p *parser) number() (value, error) {
	from := p.i
	p.accept('-')
	whole := len(p.span(digit))
	if whole == 0 {
		return value{}, p.fault("a digit")
	}
	if p.accept('.') {
		fraction := len(p.span(digit))
		if whole > 12 || fraction < 1 || fraction > 3 {
			return value{}, p.fault("a decimal of at most 12 digits before the point and 1 to 3 after it")
		}
		return value{kind: kindOther}, nil
	}
	if whole > 15 {
		return value{}, p.fault("an integer of at most 15 digits")
	}
	n, err := strconv.ParseInt(p.s[from:p.i], 10, 64)
	return value{kind: kindInteger, integer: n}, err
}

// quoted reads a String (section 4.2.5).
func (p *parser) quoted() (value, error) {
	p.i++
	plain := p.span(func(c byte) bool { return printable(c) && c != '"' && c != '\\' })
	if p.accept('"') {
		return value{kind: kindText, text: plain}, nil // nothing to unescape, nothing to copy
	}
	var b strings.Builder
	b.WriteString(plain)
	for !p.accept('"') {
		if p.accept('\\') && p.peek() != '"' && p.peek() != '\\' {
			return value{}, p.fault("a quotation mark or a backslash after a backslash")
		}
		if !printable(p.peek()) {
			return value{}, p.fault("printable ASCII or a closing quotation mark")
		}
		b.WriteByte(p.s[p.i])
		p.i++
	}
	return value{kind: kindText, text: b.String()}, nil
}

// display reads a Display String (section 4.2.10).
func (p *parser) display() (value, error) {
	p.i++
	if !p.accept('"') {
		return value{}, p.fault("a quotation mark after the per cent sign")
	}
	var b strings.Builder
	for !p.accept('"') {
		c := p.peek()
		if !printable(c) {
			return value{}, p.fault("printable ASCII or a closing quotation mark")
		}
		p.i++
		if c == '%' {
			high, low := p.hexDigit(), p.hexDigit()
			if high < 0 || low < 0 {
				return value{}, p.fault("two lower-case hexadecimal digits after a per cent sign")
			}
			c = byte(high<<4 | low)
		}
		b.WriteByte(c)
	}
	if !utf8.ValidString(b.String()) {
		return value{}, p.fault("valid UTF-8 before what follows")
	}
	return value{kind: kindText, text: b.String()}, nil
}

// hexDigit reads one lower-case hexadecimal digit; -1: there is none.
func (p *parser) hexDigit() int {
	d := strings.IndexByte("0123456789abcdef", p.peek())
	if d >= 0 {
		p.i++
	}
	return d
}

// byteSequence passes over a Byte Sequence (section 4.2.7).
func (p *parser) byteSequence() error {
	p.i++
	p.span(func(c byte) bool { return alpha(c) || digit(c) || strings.IndexByte("+/=", c) >= 0 })
	if !p.accept(':') {
		return p.fault("base64 or a closing colon")
	}
	return nil
}

// boolean passes over a Boolean (section 4.2.8).
func (p *parser) boolean() error {
	p.i++
	if !p.accept('0') && !p.accept('1') {
		return p.fault("0 or 1 after the question mark")
	}
	return nil
}

// date passes over a Date (section 4.2.9).
func (p *parser) date() error {
	p.i++
	v, err := p.number()
	if err == nil && v.kind != kindInteger {
		return p.fault("whole seconds before what follows")
	}
	return err
}

// tokenByte says whether c may stand in a Token: tchar of RFC 9110, ":" or "/".
func tokenByte(c byte) bool {
	return alpha(c) || digit(c) || strings.IndexByte("!#$%&'*+-.^_`|~:/", c) >= 0
}
