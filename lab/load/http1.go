package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// http1 reads one answer of HTTP/1.1 after the other (RFC 9112), in whatever
// cuts the bytes come, and allocates nothing for a usual one. Where an answer
// could be read in two ways (request smuggling, RFC 9112, 11.2), it is malformed.
type http1 struct {
	about *about
	step  func(*http1, []byte) (int, error) // reads what comes next; nil once the answer is whole
	line  []byte                            // the part of a line that has come so far

	headerLeft, bodyLeft int // bytes that may still come

	interim  int // interim answers before this one
	status   int
	final    int  // the status, once the header is whole
	minor    byte // of the version: HTTP/1.minor
	fields   int  // lines of the header so far
	foldable bool // the last of them has no meaning here, so it may be continued

	length        int // Content-Length; -1: none
	codings       int // Transfer-Encoding lines
	chunked       bool
	close, keep   bool // what Connection says
	untilClose    bool // the body ends with the connection
	left          int  // bytes of the body, or of the chunk, that are still to come
	identity      []byte
	identityLines int
	named         bool // the plan's own header has come
	head          []byte
	who           wire.Answer
	odd           error // why it cannot be said who answered
}

var (
	errNoHTTP       = &malformedError{errors.New("no HTTP/1.1 status line")}
	errBadField     = &malformedError{errors.New("a malformed line in the header")}
	errBadLength    = &malformedError{errors.New("a malformed or contradictory Content-Length")}
	errBadCoding    = &malformedError{errors.New("a Transfer-Encoding that is not chunked alone")}
	errTwoLengths   = &malformedError{errors.New("both Content-Length and Transfer-Encoding")}
	errBadChunk     = &malformedError{errors.New("a malformed chunk")}
	errManyInterims = &malformedError{errInterim}
)

// reset makes the parser ready for the answer to the next request.
func (p *http1) reset(uint64) {
	*p = http1{
		about: p.about, step: (*http1).header, line: p.line[:0], identity: p.identity[:0], head: p.head[:0],
		headerLeft: maxHeaderBytes, bodyLeft: maxBodyBytes, length: -1,
	}
}

// read reads some of b and says how much, and whether the answer is whole. Its
// errors are errTooLong and malformedError.
func (p *http1) read(b []byte) (used int, whole bool, err error) {
	for p.step != nil && used < len(b) {
		n, err := p.step(p, b[used:])
		used += n
		if err != nil {
			return used, false, err
		}
	}
	return used, p.step == nil, nil
}

// end tells the parser that the server has closed.
func (p *http1) end() error {
	if !p.untilClose {
		return errClosedEarly
	}
	p.whole()
	return nil
}

// persists says whether the connection may be used again (RFC 9112, 9.3).
func (p *http1) persists() bool {
	if p.close || p.untilClose || p.status == http.StatusSwitchingProtocols {
		return false
	}
	return p.minor > 0 || p.keep
}

// note puts what the answer says into the sample. It returns a malformedError
// where it cannot be read who gave it.
func (p *http1) note(s *lab.Sample) error {
	s.Status = p.final
	if p.odd == nil {
		noteWho(s, p.who)
	}
	return p.odd
}

// header reads one line of the status line and the header.
func (p *http1) header(b []byte) (int, error) {
	line, n, err := p.nextLine(b, &p.headerLeft, maxHeaderBytes)
	if line == nil || err != nil {
		return n, err
	}
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case p.status == 0:
		err = p.statusLine(line)
	case len(line) == 0:
		err = p.headerEnd()
	default:
		err = p.field(line)
	}
	p.line = p.line[:0]
	return n, err
}

// nextLine gives a line without its line feed, or nil if it has not come to its
// end, and how many bytes of b were used. It takes them off what may come.
func (p *http1) nextLine(b []byte, left *int, most int) (line []byte, n int, err error) {
	end := bytes.IndexByte(b, '\n')
	n = end + 1
	if end < 0 {
		n = len(b)
	}
	if n > *left || len(p.line)+n > most {
		return nil, n, errTooLong
	}
	*left -= n
	if end < 0 {
		p.line = append(p.line, b...)
		return nil, n, nil
	}
	if len(p.line) == 0 {
		return b[:end:end], n, nil
	}
	p.line = append(p.line, b[:end]...)
	return p.line, n, nil
}

// statusLine reads "HTTP/1.1 200 OK" (RFC 9112, 4). The reason may be missing,
// with the space before it.
func (p *http1) statusLine(line []byte) error {
	const version = "HTTP/1."
	if len(line) < 12 || string(line[:len(version)]) != version || !isDigit(line[7]) || line[8] != ' ' {
		return errNoHTTP
	}
	if len(line) > 12 && line[12] != ' ' {
		return errNoHTTP
	}
	status := 0
	for _, c := range line[9:12] {
		if !isDigit(c) {
			return errNoHTTP
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 || !clean(line) {
		return errNoHTTP
	}
	p.status, p.minor = status, line[7]-'0'
	return nil
}

// headerEnd decides what follows: another header after an interim answer (RFC
// 9110, 15.2), or the body by the first rule that fits (RFC 9112, 6.3).
func (p *http1) headerEnd() error {
	if p.codings > 0 && p.length >= 0 {
		return errTwoLengths
	}
	if p.status < http.StatusOK && p.status != http.StatusSwitchingProtocols {
		return p.interimEnd()
	}
	p.about.identify(p)
	switch {
	case p.status < http.StatusOK, p.status == http.StatusNoContent, p.status == http.StatusNotModified:
		p.whole()
	case p.codings > 0 && (!p.chunked || p.codings > 1 || p.minor == 0):
		return errBadCoding
	case p.codings > 0:
		p.step = (*http1).chunkSize
	case p.length > maxBodyBytes:
		return errTooLong
	case p.length > 0:
		p.left, p.step = p.length, (*http1).body
	case p.length == 0:
		p.whole()
	default:
		p.untilClose, p.left, p.step = true, maxBodyBytes+1, (*http1).body
	}
	p.final = p.status
	return nil
}

func (p *http1) interimEnd() error {
	interim, left := p.interim+1, p.headerLeft
	if interim > maxInterim {
		return errManyInterims
	}
	p.reset(0)
	p.interim, p.headerLeft = interim, left
	return nil
}

// whole ends the answer.
func (p *http1) whole() {
	p.step = nil
	p.about.search(p)
	if cap(p.line) > maxKept {
		p.line = nil
	}
}

// maxKept is how many bytes a connection keeps for the next line or name that
// comes in parts.
const maxKept = 16 << 10

// describeStatus is the detail of an answer whose status is not 200.
func describeStatus(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("status %d %s", status, text)
	}
	return fmt.Sprintf("status %d", status)
}
