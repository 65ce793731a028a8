package samples

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

// flushAt is how many bytes a [Writer] gathers before it writes them.
const flushAt = 32 << 10

// Writer writes samples, in any order, as docs/samples.md describes. Each is
// written as its difference from the one before, without any allocation. The
// first error of the stream below is returned from then on.
type Writer struct {
	out     io.Writer
	pending []byte
	body    []byte // of the sample that is being written
	crc     uint32
	count   uint64
	err     error

	now, before [fieldCount]uint64 // the numbers of this sample and of the one before

	target                               dictionary[netip.AddrPort]
	local, saw                           dictionary[netip.Addr]
	instance, closedFirst, fault, detail dictionary[string]
}

// NewWriter returns a Writer to out. Nothing is written yet.
func NewWriter(out io.Writer) *Writer {
	spell := func(b []byte, s string) []byte { return append(b, s...) }
	w := &Writer{
		out: out, pending: make([]byte, 0, 2*flushAt),
		target:   newDictionary(func(b []byte, a netip.AddrPort) []byte { return a.AppendTo(b) }),
		local:    newDictionary(func(b []byte, a netip.Addr) []byte { return a.AppendTo(b) }),
		saw:      newDictionary(func(b []byte, a netip.Addr) []byte { return a.AppendTo(b) }),
		instance: newDictionary(spell), closedFirst: newDictionary(spell),
		fault: newDictionary(spell), detail: newDictionary(spell),
	}
	w.head()
	return w
}

// head adds what comes before the first sample.
func (w *Writer) head() {
	b := append([]byte(magic), version)
	b = binary.AppendUvarint(b, fieldCount)
	for _, f := range layout {
		b = binary.AppendUvarint(b, uint64(len(f.name)))
		b = append(b, f.name...)
		b = append(b, byte(f.kind))
		b = binary.AppendUvarint(b, uint64(f.base))
		b = binary.AppendVarint(b, f.step)
	}
	w.pending = append(w.pending, b...)
}

// Write adds a sample. What is pending is written when there is enough of it.
func (w *Writer) Write(s *lab.Sample) error {
	if w.err != nil {
		return w.err
	}
	w.numbers(s)
	var changed uint64
	w.body = w.body[:0]
	for i := range layout {
		if w.field(i, s) {
			changed |= 1 << i
		}
	}
	w.before = w.now
	w.pending = binary.AppendUvarint(w.pending, changed+1)
	w.pending = append(w.pending, w.body...)
	w.count++
	if len(w.pending) < flushAt {
		return nil
	}
	return w.Flush()
}

// numbers takes the fields that are numbers from a sample.
func (w *Writer) numbers(s *lab.Sample) {
	w.now = [fieldCount]uint64{
		request: uint64(s.Request), connection: uint64(s.Connection),
		due: uint64(s.Due), begun: uint64(s.Begun), connected: uint64(s.Connected),
		firstByte: uint64(s.FirstByte), done: uint64(s.Done), service: uint64(s.Service),
		localPort: uint64(s.Local.Port()), sawPort: uint64(s.ReplicaSaw.Port()),
		replicaConnection: s.ReplicaConnection, replicaRequest: s.ReplicaRequest,
		status: uint64(s.Status), duplicates: uint64(s.Duplicates),
	}
	if s.Reordered {
		w.now[reordered] = 1
	}
}

// field adds field i, unless it is as expected.
func (w *Writer) field(i int, s *lab.Sample) (changed bool) {
	f := &layout[i]
	if f.kind != text {
		expected := w.before[i]
		if f.base > 0 {
			expected = w.now[f.base-1]
		}
		expected += uint64(f.step)
		if w.now[i] == expected {
			return false
		}
		w.body = binary.AppendVarint(w.body, int64(w.now[i]-expected))
		return true
	}
	switch i {
	case instance:
		w.body, changed = w.instance.append(w.body, s.Instance)
	case target:
		w.body, changed = w.target.append(w.body, s.Target)
	case local:
		w.body, changed = w.local.append(w.body, s.Local.Addr())
	case saw:
		w.body, changed = w.saw.append(w.body, s.ReplicaSaw.Addr())
	case closedFirst:
		w.body, changed = w.closedFirst.append(w.body, string(s.ClosedFirst))
	case fault:
		w.body, changed = w.fault.append(w.body, string(s.Fault))
	case detail:
		w.body, changed = w.detail.append(w.body, s.Detail)
	}
	return changed
}

// Flush writes what is pending: a reader has then all samples so far.
func (w *Writer) Flush() error {
	if w.err != nil || len(w.pending) == 0 {
		return w.err
	}
	w.crc = crc32.Update(w.crc, crc32.IEEETable, w.pending)
	_, err := w.out.Write(w.pending)
	w.pending = w.pending[:0]
	if err != nil {
		w.err = fmt.Errorf("write samples, after %d: %w", w.count, err)
	}
	return w.err
}

// Close writes the end, by which a reader knows that nothing is missing. It
// does not close the stream below.
func (w *Writer) Close() error {
	if err := w.Flush(); err != nil {
		return err
	}
	w.pending = append(w.pending, 0)
	w.pending = binary.AppendUvarint(w.pending, w.count)
	sum := crc32.Update(w.crc, crc32.IEEETable, w.pending)
	w.pending = binary.LittleEndian.AppendUint32(w.pending, sum)
	return w.Flush()
}
