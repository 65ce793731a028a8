package samples

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// DamageError is the error for a stream that ends early or is not what a
// [Writer] wrote.
type DamageError struct {
	Whole  int   // samples that were read well
	Offset int64 // bytes from the beginning to where it was noticed
	Err    error // what is wrong
}

// Error implements error.
func (e *DamageError) Error() string {
	samples := "samples"
	if e.Whole == 1 {
		samples = "sample"
	}
	return fmt.Sprintf("%v, at byte %d, after %d whole %s", e.Err, e.Offset, e.Whole, samples)
}

// Unwrap returns what is wrong.
func (e *DamageError) Unwrap() error { return e.Err }

// Reader reads what a [Writer] wrote, from any version of portlab that writes
// this version of the format. Its memory is bounded, whatever it reads.
type Reader struct {
	in     *bufio.Reader
	window []byte // bytes of in that are not taken from it yet
	used   int    // of these, how many are read
	crc    uint32 // of what was taken
	offset int64  // of the window
	whole  int
	err    error

	fields []field
	at     [fieldCount]int // where a known field stands among fields; -1: nowhere
	now    []uint64
	before []uint64
	texts  []dictionaryRead // of each field; empty for a number
}

// NewReader reads the head of a stream. If in is a [bufio.Reader], nothing
// beyond the end of the samples is taken from it. It returns a [DamageError],
// or a [lab.UnsupportedError] for a later version of the format.
func NewReader(in io.Reader) (*Reader, error) {
	b, ok := in.(*bufio.Reader)
	if !ok {
		b = bufio.NewReaderSize(in, flushAt)
	}
	r := &Reader{in: b}
	if err := r.head(); err != nil {
		if errors.Is(err, lab.ErrUnsupported) {
			return nil, err
		}
		return nil, r.damage(err)
	}
	return r, nil
}

// Read puts the next sample into s. It returns [io.EOF] at the end, once it is
// sure that nothing is missing, and a [DamageError] if something is.
func (r *Reader) Read(s *lab.Sample) error {
	if r.err != nil {
		return r.err
	}
	if err := r.next(s); err != nil {
		if !errors.Is(err, errEnd) {
			r.err = r.damage(err)
			return r.err
		}
		r.err = io.EOF
		return r.err
	}
	r.whole++
	return nil
}

// All reads the rest. An error ends it early, and is what Err returns.
func (r *Reader) All() iter.Seq[lab.Sample] {
	return func(yield func(lab.Sample) bool) {
		var s lab.Sample
		for r.Read(&s) == nil {
			if !yield(s) {
				return
			}
		}
	}
}

// Err is why reading ended, unless it was the end.
func (r *Reader) Err() error {
	if errors.Is(r.err, io.EOF) {
		return nil
	}
	return r.err
}

// errEnd is found in no error that is returned: the samples are complete.
var errEnd = errors.New("end of the samples")

func (r *Reader) damage(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("it is truncated: %w", io.ErrUnexpectedEOF)
	}
	return &DamageError{Whole: r.whole, Offset: r.offset + int64(r.used), Err: err}
}

// next reads a sample, or the end.
func (r *Reader) next(s *lab.Sample) error {
	tag, err := r.uvarint()
	if err != nil {
		return err
	}
	if tag == 0 {
		return r.end()
	}
	changed := tag - 1
	if changed>>len(r.fields) != 0 {
		return fmt.Errorf("a sample has fields that the head does not name (tag %#x)", tag)
	}
	for i := range r.fields {
		if err := r.field(i, changed&(1<<i) != 0); err != nil {
			return fmt.Errorf("field %s: %w", r.fields[i].name, err)
		}
	}
	r.now, r.before = r.before, r.now
	r.fill(s)
	return nil
}

// field reads field i, or derives it.
func (r *Reader) field(i int, changed bool) error {
	f := &r.fields[i]
	if f.kind == text {
		if !changed {
			return nil
		}
		return r.texts[i].read(r)
	}
	value := r.before[i]
	if f.base > 0 {
		value = r.now[f.base-1]
	}
	value += uint64(f.step)
	if changed {
		v, err := r.uvarint()
		if err != nil {
			return err
		}
		value += uint64(unzigzag(v))
	}
	r.now[i] = value
	return nil
}

// fill puts the fields that are known into s. What was read is in before.
func (r *Reader) fill(s *lab.Sample) {
	*s = lab.Sample{
		Request: int(r.number(request)), Connection: int(r.number(connection)),
		Due: r.time(due), Begun: r.time(begun), Connected: r.time(connected),
		FirstByte: r.time(firstByte), Done: r.time(done), Service: r.time(service),
		Local:             netip.AddrPortFrom(r.text(local).at.Addr(), uint16(r.number(localPort))),
		Target:            r.text(target).at,
		ReplicaSaw:        netip.AddrPortFrom(r.text(saw).at.Addr(), uint16(r.number(sawPort))),
		ReplicaConnection: r.number(replicaConnection), ReplicaRequest: r.number(replicaRequest),
		Status: int(r.number(status)), Duplicates: int(r.number(duplicates)), Reordered: r.number(reordered) != 0,
		Instance: r.text(instance).text, Detail: r.text(detail).text,
		Fault: lab.Fault(r.text(fault).text), ClosedFirst: lab.End(r.text(closedFirst).text),
	}
}

// end holds what was read against the count and the checksum at the end.
func (r *Reader) end() error {
	count, err := r.uvarint()
	if err != nil {
		return err
	}
	if err := r.take(); err != nil {
		return err
	}
	var sum [4]byte
	n, err := io.ReadFull(r.in, sum[:])
	r.offset += int64(n)
	switch {
	case err != nil:
		return err
	case count != uint64(r.whole):
		return fmt.Errorf("it counts %d samples itself", count)
	case binary.LittleEndian.Uint32(sum[:]) != r.crc:
		return errors.New("its checksum does not fit what was read")
	}
	return errEnd
}

// take takes from in what was read of the window, and no more: what follows
// the samples is another's.
func (r *Reader) take() error {
	r.crc = crc32.Update(r.crc, crc32.IEEETable, r.window[:r.used])
	r.offset += int64(r.used)
	_, err := r.in.Discard(r.used)
	r.window, r.used = nil, 0
	return err
}

// look waits for more bytes and has them in the window.
func (r *Reader) look() error {
	if err := r.take(); err != nil {
		return err
	}
	if _, err := r.in.Peek(1); err != nil {
		return err
	}
	var err error
	r.window, err = r.in.Peek(r.in.Buffered())
	return err
}
