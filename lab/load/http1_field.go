package load

import (
	"bytes"

	"github.com/portlab/portlab/servers/wire"
)

// field reads one line of the header (RFC 9112, 5). A line that continues the
// one before (obs-fold) is passed over if that one has no meaning here.
func (p *http1) field(line []byte) error {
	if line[0] == ' ' || line[0] == '\t' {
		if p.fields == 0 || !p.foldable || !clean(line) {
			return errBadField
		}
		return nil
	}
	colon := bytes.IndexByte(line, ':')
	if colon < 1 || !isToken(line[:colon]) || !clean(line[colon:]) {
		return errBadField
	}
	p.fields++
	known, err := p.value(line[:colon], bytes.Trim(line[colon+1:], " \t"))
	p.foldable = !known
	return err
}

// value takes in a field that has a meaning here, and says whether it has.
func (p *http1) value(name, value []byte) (known bool, err error) {
	if p.about.names(name) {
		p.about.byHeader(p, value)
		known = true
	}
	// The length of the name tells most of them apart without a look at it.
	switch len(name) {
	case len("Connection"):
		if isName(name, "connection") {
			p.connection(value)
			return true, nil
		}
	case len("Content-Length"): // and len(wire.Header)
		if isName(name, "content-length") {
			return true, p.contentLength(value)
		}
		if p.about.own && isName(name, identityName) {
			p.identityLine(value)
			return true, nil
		}
	case len("Transfer-Encoding"):
		if isName(name, "transfer-encoding") {
			p.codings++
			p.chunked = isName(value, "chunked")
			return true, nil
		}
	}
	return known, nil
}

// identityName is wire.Header in lower case.
const identityName = "portlab-answer"

// The switch above depends on it.
var _ = [1]struct{}{}[len(wire.Header)-len("Content-Length")]

// connection reads a list of tokens (RFC 9110, 7.6.1).
func (p *http1) connection(value []byte) {
	for more := true; more; {
		var token []byte
		token, value, more = bytes.Cut(value, []byte(","))
		token = bytes.Trim(token, " \t")
		p.close = p.close || isName(token, "close")
		p.keep = p.keep || isName(token, "keep-alive")
	}
}

// contentLength takes several lines only if they say the same (RFC 9112, 6.3).
func (p *http1) contentLength(value []byte) error {
	const most = 1 << 50 // far from overflow, and far over what is read
	n := 0
	for _, c := range value {
		if !isDigit(c) || n > most {
			return errBadLength
		}
		n = n*10 + int(c-'0')
	}
	if len(value) == 0 || p.length >= 0 && p.length != n {
		return errBadLength
	}
	p.length = n
	return nil
}

// identityLine keeps the value of a header that says who answered. Several
// lines are one list (RFC 9110, 5.3).
func (p *http1) identityLine(value []byte) {
	if p.identityLines > 0 {
		p.identity = append(p.identity, ", "...)
	}
	p.identity = append(p.identity, value...)
	p.identityLines++
}

// isName compares ASCII without regard to case; name must be in lower case.
func isName(b []byte, name string) bool {
	if len(b) != len(name) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// clean refuses what no line of a header may hold (RFC 9110, 5.5).
func clean(b []byte) bool {
	return bytes.IndexByte(b, '\r') < 0 && bytes.IndexByte(b, 0) < 0
}

// tokenBytes are those of a field's name (RFC 9110, 5.6.2).
var tokenBytes = func() (in [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		in[c] = true
	}
	return in
}()

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
