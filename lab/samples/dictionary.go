package samples

import "encoding/binary"

// dictionary gives numbers, from 1, to the values of one field that were seen
// before. Number 0 is a value that is written out.
type dictionary[K comparable] struct {
	last    K
	numbers map[K]uint64
	spell   func([]byte, K) []byte
	room    []byte // where a new value is spelt
}

func newDictionary[K comparable](spell func([]byte, K) []byte) dictionary[K] {
	return dictionary[K]{numbers: map[K]uint64{}, spell: spell}
}

// append adds the code of k to b and says whether there was any need for it:
// there is none if k is the value of the sample before.
func (d *dictionary[K]) append(b []byte, k K) ([]byte, bool) {
	if k == d.last {
		return b, false
	}
	d.last = k
	if n, known := d.numbers[k]; known {
		return binary.AppendUvarint(b, n), true
	}
	d.room = d.spell(d.room[:0], k)
	spelt := d.room
	if len(spelt) > MaxText {
		spelt = spelt[:MaxText]
	}
	if len(spelt) <= maxKept && len(d.numbers) < maxTexts {
		d.numbers[k] = uint64(len(d.numbers)) + 1
	}
	b = append(b, 0)
	b = binary.AppendUvarint(b, uint64(len(spelt)))
	return append(b, spelt...), true
}
