package load

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// maxNames bounds how many names, and how many beginnings of a body, are kept
// so that they need not be made again.
const maxNames = 1024

// about finds out whom an answer is from, as the plan says. The parsers of one
// loop share it: a name that many answers give is kept once.
type about struct {
	own     bool   // by the instrumented server's own header
	header  string // by the value of this one, in lower case
	pattern *regexp.Regexp
	known   map[string]string
	bodies  map[string]string // names that the pattern found, by the beginning of the body
}

// newAbout is for a plan that was validated.
func newAbout(p lab.Plan) *about {
	a := &about{known: map[string]string{}, bodies: map[string]string{}, header: strings.ToLower(p.InstanceHeader)}
	if p.InstancePattern != "" {
		a.pattern = regexp.MustCompile(p.InstancePattern)
	}
	a.own = a.header == "" && a.pattern == nil
	return a
}

// names says whether the plan takes the name from this header.
func (a *about) names(field []byte) bool { return a.header != "" && isName(field, a.header) }

// byHeader takes the name from the first line of the header that the plan names.
func (a *about) byHeader(p *http1, value []byte) {
	if !p.named {
		p.named = true
		p.who.Instance, p.odd = a.name(value)
	}
}

// identify reads the header of the instrumented server, once it is whole.
func (a *about) identify(p *http1) {
	if p.identityLines > 0 {
		p.who, p.odd = a.read(p.identity)
	}
	if cap(p.identity) > maxKept {
		p.identity = nil
	}
}

// search looks for the pattern in the beginning of the body.
func (a *about) search(p *http1) {
	if a.pattern != nil {
		p.who.Instance, p.odd = a.find(p.head)
	}
}

// find gives the name that the pattern finds; empty: none.
func (a *about) find(body []byte) (string, error) {
	if name, ok := a.bodies[string(body)]; ok {
		return name, nil
	}
	at := a.pattern.FindSubmatchIndex(body)
	if at == nil {
		return "", nil
	}
	if len(at) > 2 && at[2] >= 0 {
		at = at[2:]
	}
	name, err := a.name(body[at[0]:at[1]])
	if err == nil && len(a.bodies) < maxNames {
		a.bodies[string(body)] = name
	}
	return name, err
}

// name makes a string of a name, once for all answers that give it. It returns
// a malformedError for one that no replica may have.
func (a *about) name(b []byte) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	if name, ok := a.known[string(b)]; ok {
		return name, nil
	}
	name := string(b)
	if err := wire.CheckInstance(name); err != nil {
		return "", &malformedError{err}
	}
	if len(a.known) < maxNames {
		a.known[name] = name
	}
	return name, nil
}

// read reads the value of wire.Header: by itself in the form that servers
// write, by package wire in any other, so that both always agree.
func (a *about) read(value []byte) (wire.Answer, error) {
	if who, ok := a.usual(value); ok {
		return who, nil
	}
	who, err := wire.Parse(string(value))
	if err != nil {
		return wire.Answer{}, &malformedError{err}
	}
	return who, nil
}

// usual reads the form that wire.Answer.Encode gives to a name of printable
// ASCII without quotation marks, without an allocation.
func (a *about) usual(b []byte) (who wire.Answer, ok bool) {
	s := scanner{rest: b, ok: true}
	s.text(`v=1, instance="`)
	name := s.until('"')
	s.text(", conn=")
	who.Connection = s.number()
	s.text(", req=")
	who.Request = s.number()
	s.text(`, client="`)
	client := s.until('"')
	s.text(", service-ns=")
	who.Service = s.nanoseconds()
	if !s.ok || len(s.rest) > 0 || who.Connection == 0 || who.Request == 0 || len(name) == 0 || bytes.IndexByte(client, '%') >= 0 {
		return wire.Answer{}, false
	}
	var err error
	if who.Client, ok = parseAddrPort(client); !ok {
		return wire.Answer{}, false
	}
	who.Instance, err = a.name(name)
	return who, err == nil
}
