package load

import (
	"bytes"

	"github.com/portlab/portlab/lab"
)

// maxChunkLine bounds the line that says how long a chunk is, in bytes.
const maxChunkLine = 4096

// body reads bytes up to a length that is known, or until the server closes.
func (p *http1) body(b []byte) (int, error) {
	n, err := p.stretch(b)
	if err == nil && p.left == 0 {
		p.whole()
	}
	return n, err
}

// stretch reads bytes of a body as long as they are left, and bounds them all.
func (p *http1) stretch(b []byte) (int, error) {
	n := min(len(b), p.left)
	if n > p.bodyLeft {
		return n, errTooLong
	}
	p.bodyLeft -= n
	p.left -= n
	p.keepHead(b[:n])
	return n, nil
}

// keepHead keeps the beginning of the body if a pattern is searched for in it.
func (p *http1) keepHead(b []byte) {
	if p.about.pattern == nil {
		return
	}
	p.head = append(p.head, b[:min(len(b), lab.InstancePatternBytes-len(p.head))]...)
}

// chunkSize reads the line before a chunk (RFC 9112, 7.1). What follows a
// semicolon are extensions, which mean nothing here.
func (p *http1) chunkSize(b []byte) (int, error) {
	line, n, err := p.chunkLine(b)
	if line == nil || err != nil {
		return n, err
	}
	line, _, _ = bytes.Cut(line, []byte(";"))
	size, ok := hexadecimal(bytes.TrimRight(line, " \t"))
	p.line = p.line[:0]
	switch {
	case !ok:
		return n, errBadChunk
	case size > p.bodyLeft:
		return n, errTooLong
	case size == 0:
		p.step = (*http1).trailer
	default:
		p.left, p.step = size, (*http1).chunk
	}
	return n, nil
}

// chunkLine gives a line that must end in CR LF, without both.
func (p *http1) chunkLine(b []byte) (line []byte, n int, err error) {
	line, n, err = p.nextLine(b, &p.bodyLeft, maxChunkLine)
	if line == nil || err != nil {
		return nil, n, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r"))
	if !ok || !clean(line) {
		return nil, n, errBadChunk
	}
	return line, n, nil
}

func (p *http1) chunk(b []byte) (int, error) {
	n, err := p.stretch(b)
	if err == nil && p.left == 0 {
		p.step = (*http1).chunkEnd
	}
	return n, err
}

// chunkEnd reads the empty line after a chunk.
func (p *http1) chunkEnd(b []byte) (int, error) {
	line, n, err := p.chunkLine(b)
	if line == nil || err != nil {
		return n, err
	}
	p.line = p.line[:0]
	if len(line) > 0 {
		return n, errBadChunk
	}
	p.step = (*http1).chunkSize
	return n, nil
}

// trailer reads the lines after the last chunk, which mean nothing here, up to
// an empty one (RFC 9112, 7.1.2).
func (p *http1) trailer(b []byte) (int, error) {
	line, n, err := p.nextLine(b, &p.headerLeft, maxHeaderBytes)
	if line == nil || err != nil {
		return n, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r"))
	p.line = p.line[:0]
	colon := bytes.IndexByte(line, ':')
	switch {
	case !ok || !clean(line):
		return n, errBadField
	case len(line) == 0:
		p.whole()
	case colon < 1 || !isToken(line[:colon]):
		return n, errBadField
	}
	return n, nil
}

// hexadecimal reads a number of at most eight digits: 4 GiB are more than any
// body may have.
func hexadecimal(b []byte) (n int, ok bool) {
	for _, c := range b {
		switch {
		case isDigit(c):
			n = n<<4 | int(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			n = n<<4 | int(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return n, 0 < len(b) && len(b) <= 8
}
