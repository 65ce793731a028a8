package load

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// appendAsk makes a request of the line protocol: "portlab ID PATH".
func appendAsk(b []byte, id uint64, path string) []byte {
	b = append(b, "portlab "...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, ' ')
	return append(b, path...)
}

// closeLine asks the server to close behind the answer.
const closeLine = " close"

var errOtherAnswer = &malformedError{errors.New("an answer to another request")}

// lines reads the answers of the line protocol on a TCP connection: a line for
// each. It keeps no more of a line than says who gave it. Any other server's
// line is an answer too.
type lines struct {
	about *about
	id    uint64 // of the request that is under way
	head  []byte // the beginning of a line that comes in parts
	size  int    // of the line so far
	who   wire.Answer
	odd   error
}

// reset makes ready for the answer to the next request.
func (l *lines) reset(id uint64) {
	l.id, l.head, l.size, l.who, l.odd = id, l.head[:0], 0, wire.Answer{}, nil
}

// read reads some of b and says how much, and whether the answer is whole.
func (l *lines) read(b []byte) (used int, whole bool, err error) {
	end := bytes.IndexByte(b, '\n')
	used = end + 1
	if end < 0 {
		used, end = len(b), len(b)
	} else {
		whole = true
	}
	if l.size += used; l.size > maxBodyBytes {
		return used, false, errTooLong
	}
	line := b[:end]
	if !whole || len(l.head) > 0 {
		l.head = append(l.head, line[:min(len(line), lab.InstancePatternBytes-len(l.head))]...)
		line = l.head
	}
	if whole {
		line = bytes.TrimSuffix(line[:min(len(line), lab.InstancePatternBytes)], []byte("\r"))
		l.who, l.odd = l.about.readLine(line, l.id)
	}
	return used, whole, nil
}

// end tells that the server has closed: before the end of a line.
func (l *lines) end() error { return errClosedEarly }

// persists: an answer does not say that it is the last on its connection.
func (l *lines) persists() bool { return true }

// note puts what the answer says into the sample.
func (l *lines) note(s *lab.Sample) error {
	if l.odd == nil {
		noteWho(s, l.who)
	}
	return l.odd
}

// readLine reads the beginning of an answer of the line protocol, "ID VALUE",
// to the request with this id. Anything that has no such form is an answer of
// another server, named by the pattern if by anything.
func (a *about) readLine(line []byte, id uint64) (wire.Answer, error) {
	got, value, ours := cutID(line)
	if text, failed := bytes.CutPrefix(value, []byte("error ")); ours && got == id && failed {
		return wire.Answer{}, &malformedError{errors.New("the server says: " + strconv.Quote(string(text)))}
	}
	if a.pattern != nil {
		name, err := a.find(line)
		return wire.Answer{Instance: name}, err
	}
	if !ours || !a.own || !bytes.HasPrefix(value, []byte("v=")) {
		return wire.Answer{}, nil
	}
	if got != id {
		return wire.Answer{}, errOtherAnswer
	}
	return a.read(unpadded(value))
}

// cutID parts "ID VALUE" at the space.
func cutID(line []byte) (id uint64, value []byte, ok bool) {
	s := scanner{rest: line, ok: true}
	for len(s.rest) > 0 && isDigit(s.rest[0]) {
		digit := uint64(s.rest[0] - '0')
		if id > (1<<63-1-digit)/10 {
			return 0, nil, false
		}
		id, s.rest = id*10+digit, s.rest[1:]
	}
	if len(s.rest) == len(line) {
		return 0, nil, false
	}
	s.text(" ")
	return id, s.rest, s.ok
}

// unpadded is a value without the bytes that ?body= asked for: a space, and x
// to the end.
func unpadded(value []byte) []byte {
	short := bytes.TrimRight(value, "x")
	if len(short) < len(value) || len(short) > 0 && short[len(short)-1] == ' ' {
		short = bytes.TrimSuffix(short, []byte(" "))
	}
	return short
}
