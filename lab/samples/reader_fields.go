package samples

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/portlab/portlab/lab"
)

// head reads what comes before the first sample.
func (r *Reader) head() error {
	got, err := r.bytes(uint64(len(magic)))
	if err != nil {
		return err
	}
	if string(got) != magic {
		return fmt.Errorf("it does not begin with %q: these are no samples of portlab", magic)
	}
	v, err := r.byte()
	if err != nil {
		return err
	}
	if v != version {
		return &lab.UnsupportedError{
			What:   "reading these samples",
			Reason: fmt.Sprintf("they are of version %d of their format, and this portlab reads version %d", v, version),
			Remedy: "use the portlab that wrote them, or a later one",
		}
	}
	n, err := r.uvarint()
	if err != nil {
		return err
	}
	if n > maxFields {
		return fmt.Errorf("its head names %d fields, and at most %d are possible", n, maxFields)
	}
	for i := range r.at {
		r.at[i] = -1
	}
	for range n {
		if err := r.describe(); err != nil {
			return err
		}
	}
	r.now, r.before = make([]uint64, n), make([]uint64, n)
	return nil
}

// describe reads what the head says of one field.
func (r *Reader) describe() error {
	length, err := r.uvarint()
	if err != nil {
		return err
	}
	if length > maxName {
		return fmt.Errorf("the name of a field has %d bytes, and at most %d are possible", length, maxName)
	}
	name, err := r.bytes(length)
	if err != nil {
		return err
	}
	f := field{name: string(name)}
	k, err := r.byte()
	if err != nil {
		return err
	}
	base, err := r.uvarint()
	if err != nil {
		return err
	}
	step, err := r.uvarint()
	if err != nil {
		return err
	}
	f.kind, f.step = kind(k), unzigzag(step)
	if f.kind > text || base > uint64(len(r.fields)) || f.kind == text && base+step != 0 ||
		base > 0 && r.fields[base-1].kind == text {
		return fmt.Errorf("field %q cannot be of kind %d with base %d and step %d", f.name, k, base, f.step)
	}
	f.base = int(base)
	return r.add(f)
}

// add adds a field and finds out whether it is known.
func (r *Reader) add(f field) error {
	var t dictionaryRead
	for i, known := range layout {
		if known.name != f.name {
			continue
		}
		if r.at[i] >= 0 {
			return fmt.Errorf("it has field %s twice", f.name)
		}
		if known.kind != f.kind {
			return fmt.Errorf("field %s is of kind %d, not %d", f.name, f.kind, known.kind)
		}
		r.at[i] = len(r.fields)
		switch i {
		case target:
			t.parse = netip.ParseAddrPort
		case local, saw:
			t.parse = parseAddr
		}
	}
	r.fields, r.texts = append(r.fields, f), append(r.texts, t)
	return nil
}

func parseAddr(s string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(s)
	return netip.AddrPortFrom(a, 0), err
}

// word is a value of a text field, and the address that it says, if it does.
type word struct {
	text string
	at   netip.AddrPort
}

// noWord is the value of a field that a stream does not have.
var noWord word

// dictionaryRead is the texts of one field that were read before.
type dictionaryRead struct {
	last  word
	words []word
	parse func(string) (netip.AddrPort, error) // nil: no address
}

// read reads a text and keeps it as the last.
func (d *dictionaryRead) read(r *Reader) error {
	n, err := r.uvarint()
	switch {
	case err != nil:
		return err
	case n > uint64(len(d.words)):
		return fmt.Errorf("text %d of %d", n, len(d.words))
	case n > 0:
		d.last = d.words[n-1]
		return nil
	}
	length, err := r.uvarint()
	if err != nil {
		return err
	}
	if length > MaxText {
		return fmt.Errorf("a text of %d bytes, and at most %d are possible", length, MaxText)
	}
	b, err := r.bytes(length)
	if err != nil {
		return err
	}
	w := word{text: string(b)}
	if d.parse != nil && w.text != "" {
		if w.at, err = d.parse(w.text); err != nil {
			return err
		}
	}
	if len(w.text) <= maxKept && len(d.words) < maxTexts {
		d.words = append(d.words, w)
	}
	d.last = w
	return nil
}

// number is a field of the sample that was read last; 0 if there is none.
func (r *Reader) number(f int) uint64 {
	if r.at[f] < 0 {
		return 0
	}
	return r.before[r.at[f]]
}

func (r *Reader) time(f int) time.Duration { return time.Duration(r.number(f)) }

func (r *Reader) text(f int) *word {
	if r.at[f] < 0 {
		return &noWord
	}
	return &r.texts[r.at[f]].last
}

func (r *Reader) byte() (byte, error) {
	if r.used == len(r.window) {
		if err := r.look(); err != nil {
			return 0, err
		}
	}
	b := r.window[r.used]
	r.used++
	return b, nil
}

// bytes reads n bytes.
func (r *Reader) bytes(n uint64) ([]byte, error) {
	b := make([]byte, n)
	for i := range b {
		var err error
		if b[i], err = r.byte(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

var errLongNumber = errors.New("a number has more than 64 bits")

// uvarint reads a number in groups of seven bits, the lowest first, of which
// all but the last have the eighth bit set.
func (r *Reader) uvarint() (uint64, error) {
	var x uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := r.byte()
		if err != nil {
			return 0, err
		}
		if shift == 63 && b > 1 {
			return 0, errLongNumber
		}
		x |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return x, nil
		}
	}
	return 0, errLongNumber
}

// unzigzag has 0, 1, 2, 3 stand for 0, -1, 1, -2: small numbers are short
// whatever their sign.
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
