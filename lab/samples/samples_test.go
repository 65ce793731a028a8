package samples

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portlab/portlab/lab"
)

var sameAddresses = cmpopts.EquateComparable(netip.AddrPort{})

// odd are samples with every field set somewhere, and with the least and the
// greatest values.
func odd() []lab.Sample {
	long := strings.Repeat("x", maxKept+1)
	return []lab.Sample{
		{},
		{Request: 7, Connection: math.MaxInt, Due: -1, Begun: 5, Connected: math.MaxInt64, FirstByte: math.MinInt64, Done: 9,
			Local: netip.MustParseAddrPort("[fe80::1%eth0]:1"), Target: netip.MustParseAddrPort("[::ffff:10.0.0.1]:65535"),
			Instance: `a,"b"`, Status: 200, ClosedFirst: lab.ClientEnd, Duplicates: 3, Reordered: true,
			ReplicaConnection: math.MaxUint64, ReplicaRequest: 1, ReplicaSaw: netip.MustParseAddrPort("10.0.0.1:9"), Service: time.Hour},
		{Request: 2, Fault: lab.BadAnswer, Detail: "line one\r\n\xff\x00 ünïcode"},
		{Request: -4, Connection: math.MinInt, Detail: long},
		{Request: 3, Detail: long},
		{Request: 3, Detail: long + "y"},
	}
}

// load are n samples as a load of 16 workers with new connections gives them.
func load(n int) []lab.Sample {
	names := []string{"foo", "bar", "baz"}
	all := make([]lab.Sample, n)
	for i := range all {
		at := time.Duration(i)*19_937 + time.Duration(i*i%7919)
		local := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 19, 0, 2}), uint16(32768+i*2%28232))
		all[i] = lab.Sample{
			Request: i, Connection: i, Due: at, Begun: at + 310, Connected: at + 61_000 + time.Duration(i%977),
			FirstByte: at + 250_000 + time.Duration(i*i%99_991), Done: at + 252_000 + time.Duration(i*i%99_991) + time.Duration(i%313),
			Local: local, ReplicaSaw: local, Target: netip.MustParseAddrPort("198.19.0.1:8080"),
			Instance: names[i*i%3], Status: 200, ClosedFirst: lab.ServerEnd,
			ReplicaConnection: uint64(i / 3), ReplicaRequest: 1, Service: 40_000 + time.Duration(i%6007),
		}
	}
	return all
}

func written(t testing.TB, all []lab.Sample) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for i := range all {
		if err := w.Write(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// readAll gives what can be read of a stream, and why no more.
func readAll(in io.Reader) ([]lab.Sample, error) {
	r, err := NewReader(in)
	if err != nil {
		return nil, err
	}
	return slices.Collect(r.All()), r.Err()
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for name, all := range map[string][]lab.Sample{"none": nil, "odd": odd(), "load": load(5000)} {
		got, err := readAll(bytes.NewReader(written(t, all)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(all, got, sameAddresses); diff != "" {
			t.Errorf("%s (-written +read):\n%s", name, diff)
		}
	}
}

func TestALongTextIsCut(t *testing.T) {
	all := []lab.Sample{{Detail: strings.Repeat("é", MaxText)}}
	got, err := readAll(bytes.NewReader(written(t, all)))
	if err != nil {
		t.Fatal(err)
	}
	if want := all[0].Detail[:MaxText]; got[0].Detail != want {
		t.Errorf("%d bytes were read, want the first %d", len(got[0].Detail), MaxText)
	}
}

// More different texts than a dictionary holds are still written and read.
func TestMoreTextsThanAreRemembered(t *testing.T) {
	all := make([]lab.Sample, 3*maxTexts)
	for i := range all {
		all[i] = lab.Sample{Request: i, Detail: strings.Repeat("d", 3) + time.Duration(i%(2*maxTexts)).String()}
	}
	got, err := readAll(bytes.NewReader(written(t, all)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, got, sameAddresses); diff != "" {
		t.Error(diff)
	}
}

func TestASampleTakesFewBytes(t *testing.T) {
	const n = 20_000
	if each := float64(len(written(t, load(n)))) / n; each > 25 {
		t.Errorf("%.1f bytes a sample, want at most 25", each)
	}
}

func TestWritingAllocatesNothing(t *testing.T) {
	all := load(1000)
	w := NewWriter(io.Discard)
	i := 0
	each := testing.AllocsPerRun(len(all), func() {
		if err := w.Write(&all[i%len(all)]); err != nil {
			t.Fatal(err)
		}
		i++
	})
	if each != 0 {
		t.Errorf("%v allocations a sample", each)
	}
}

func TestATruncatedStreamIsAnErrorAtEveryByte(t *testing.T) {
	whole := written(t, odd())
	most := 0
	for n := range whole {
		got, err := readAll(bytes.NewReader(whole[:n]))
		var damaged *DamageError
		if !errors.As(err, &damaged) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
		}
		if damaged.Whole != len(got) || damaged.Offset != int64(n) {
			t.Fatalf("the first %d bytes: %v, and %d samples were given", n, err, len(got))
		}
		most = max(most, len(got))
	}
	if most != len(odd()) {
		t.Errorf("at most %d samples were read before the end, want all %d", most, len(odd()))
	}
}

func TestAChangedByteIsNoticed(t *testing.T) {
	whole := written(t, odd())
	for i := range whole {
		changed := slices.Clone(whole)
		changed[i] ^= 1
		if _, err := readAll(bytes.NewReader(changed)); err == nil {
			t.Errorf("byte %d of %d was changed, and nothing was noticed", i, len(whole))
		}
	}
}

// What was flushed can be read at once, and what follows the samples on the
// same stream stays there.
func TestSamplesAreAStream(t *testing.T) {
	from, to := io.Pipe()
	defer from.Close()
	all := odd()
	next := make(chan struct{})
	go func() {
		w := NewWriter(to)
		for i := range all {
			_ = w.Write(&all[i])
			_ = w.Flush()
			<-next
		}
		_ = w.Close()
		_, _ = to.Write([]byte("more"))
		_ = to.Close()
	}()
	in := bufio.NewReader(from)
	r, err := NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		var s lab.Sample
		if err := r.Read(&s); err != nil {
			t.Fatal(err)
		}
		if s != all[i] {
			t.Errorf("sample %d is %+v, want %+v", i, s, all[i])
		}
		next <- struct{}{}
	}
	if err := r.Read(&lab.Sample{}); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "more" {
		t.Errorf("after the samples came %q (%v)", rest, err)
	}
}

// failing takes so many bytes and no more.
type failing int

var errFull = errors.New("no space left")

func (f *failing) Write(b []byte) (int, error) {
	if *f -= failing(len(b)); *f < 0 {
		return 0, errFull
	}
	return len(b), nil
}

func TestAnErrorOfTheStreamBelowIsTold(t *testing.T) {
	room := failing(flushAt + flushAt/2)
	w := NewWriter(&room)
	var first error
	all := load(5000)
	for i := range all {
		if err := w.Write(&all[i]); err != nil && first == nil {
			first = err
		}
	}
	if !errors.Is(first, errFull) || !errors.Is(w.Close(), errFull) {
		t.Errorf("on writing %v, on closing %v", first, w.Close())
	}
}

func BenchmarkWrite(b *testing.B) {
	all := load(10_000)
	w := NewWriter(io.Discard)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		_ = w.Write(&all[i%len(all)])
	}
}

func BenchmarkRead(b *testing.B) {
	all := load(10_000)
	whole := written(b, all)
	b.ReportAllocs()
	r, _ := NewReader(bytes.NewReader(whole))
	var s lab.Sample
	for b.Loop() {
		if r.Read(&s) != nil {
			r, _ = NewReader(bytes.NewReader(whole))
		}
	}
}
