package samples

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// stream is a stream by hand: a head of these fields, records, and a good end.
func stream(fields []field, records string, count uint64) []byte {
	b := append([]byte(magic), version)
	b = binary.AppendUvarint(b, uint64(len(fields)))
	for _, f := range fields {
		b = binary.AppendUvarint(b, uint64(len(f.name)))
		b = append(append(b, f.name...), byte(f.kind))
		b = binary.AppendUvarint(b, uint64(f.base))
		b = binary.AppendVarint(b, f.step)
	}
	b = append(append(b, records...), 0)
	b = binary.AppendUvarint(b, count)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// A later portlab may write fields that this one does not know, leave some
// out, and put them into another order.
func TestFieldsAreKnownByTheirNames(t *testing.T) {
	fields := []field{
		{name: "colour", kind: text}, {name: "done_ns"}, {name: "weight", base: 2}, {name: "instance", kind: text},
	}
	records := "\x10\x00\x03red\x0a\x01\x00\x03foo" + // all four: 15+1; done is 5, weight is 4
		"\x03\x02" // done alone: 2+1; it is 6
	got, err := readAll(bytes.NewReader(stream(fields, records, 2)))
	if err != nil {
		t.Fatal(err)
	}
	want := []lab.Sample{{Done: 5, Instance: "foo"}, {Done: 6, Instance: "foo"}}
	if diff := cmp.Diff(want, got, sameAddresses); diff != "" {
		t.Error(diff)
	}
}

func TestReaderSaysWhatIsWrong(t *testing.T) {
	word := []field{{name: "detail", kind: text}}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"nothing":             {nil, "truncated"},
		"another file":        {[]byte("request,connection,due_ns"), "no samples of portlab"},
		"too many fields":     {stream(make([]field, maxFields+1), "", 0), "64 fields"},
		"a long name":         {stream([]field{{name: strings.Repeat("n", maxName+1)}}, "", 0), "65 bytes"},
		"a field twice":       {stream([]field{{name: "done_ns"}, {name: "done_ns"}}, "", 0), "done_ns twice"},
		"another kind":        {stream([]field{{name: "done_ns", kind: text}}, "", 0), "field done_ns is of kind 2, not 0"},
		"no kind":             {stream([]field{{name: "done_ns", kind: 3}}, "", 0), "kind 3"},
		"a base that follows": {stream([]field{{name: "done_ns", base: 1}}, "", 0), "base 1"},
		"a text as base":      {stream([]field{word[0], {name: "done_ns", base: 1}}, "", 0), "base 1"},
		"fields beyond":       {stream(word, "\x03", 1), "tag 0x3"},
		"a text unheard of":   {stream(word, "\x02\x01", 1), "field detail: text 1 of 0"},
		"a text too long":     {stream(word, "\x02\x00\xff\xff\xff\xff\x7f", 1), "34359738367 bytes"},
		"no address":          {stream([]field{{name: "target", kind: text}}, "\x02\x00\x03foo", 1), "field target"},
		"a number too long":   {stream(word, strings.Repeat("\xff", 10), 1), "more than 64 bits"},
		"another count":       {stream(word, "\x01", 2), "counts 2 samples itself, at byte 27, after 1 whole sample"},
	} {
		_, err := readAll(bytes.NewReader(c.in))
		if _, damaged := errors.AsType[*DamageError](err); !damaged || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestALaterVersionIsUnsupported(t *testing.T) {
	later := stream(nil, "", 0)
	later[len(magic)] = version + 1
	if _, err := readAll(bytes.NewReader(later)); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("error %v", err)
	}
}

// What the reader accepts, it must give back unchanged when it is written and
// read again.
func FuzzReader(f *testing.F) {
	f.Add(written(f, odd()))
	f.Add(written(f, load(50)))
	f.Add(stream([]field{{name: "done_ns", step: math.MaxInt64}}, "\x01\x01", 2))
	f.Fuzz(func(t *testing.T, in []byte) {
		all, err := readAll(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := readAll(bytes.NewReader(written(t, all)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, again, sameAddresses); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}
