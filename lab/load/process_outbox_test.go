package load

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/samples"
)

// bulkyBytes is the least that a bulky sample takes, encoded.
const bulkyBytes = 22

// bulky is a sample that is like none before, so that few of them fill the outbox.
func bulky(i int) lab.Sample {
	far := time.Duration(i%2) << 40
	return lab.Sample{Request: i, Due: far, Begun: 2 * far, Connected: 5 * far, Done: 11 * far}
}

func TestBulkySamplesAreBulky(t *testing.T) {
	var out bytes.Buffer
	w := samples.NewWriter(&out)
	const all = 1000
	for i := range all {
		s := bulky(i)
		if err := w.Write(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || out.Len() < all*bulkyBytes {
		t.Errorf("%d samples take %d bytes (%v)", all, out.Len(), err)
	}
}

// TestOutboxLosesNothing has a reader that takes little at a time, so that the
// outbox fills up.
func TestOutboxLosesNothing(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	all := 2 * outboxMost / bulkyBytes
	in, out := io.Pipe()
	o := openOutbox(out)
	go func() {
		for i := range all {
			o.put(bulky(i))
		}
		out.CloseWithError(o.close())
	}()
	r, err := samples.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	next := 0
	for s := range r.All() {
		if s.Request != next {
			t.Fatalf("request %d follows %d", s.Request, next-1)
		}
		next++
	}
	if r.Err() != nil || next != all {
		t.Errorf("%d of %d samples came out (%v)", next, all, r.Err())
	}
}

// TestOutboxIsEmptiedThoughNothingFollows has one sample, and no end.
func TestOutboxIsEmptiedThoughNothingFollows(t *testing.T) {
	in, out := io.Pipe()
	o := openOutbox(out)
	o.put(lab.Sample{Request: 7})
	r, err := samples.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	var s lab.Sample
	if err := r.Read(&s); err != nil || s.Request != 7 {
		t.Errorf("sample %+v, error %v", s, err)
	}
	go func() { _, _ = io.Copy(io.Discard, in) }()
	if err := o.close(); err != nil {
		t.Error(err)
	}
}

// full is a pipe whose reader has gone.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestOutboxThatCannotWriteStopsNobody(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	o := openOutbox(full{})
	for i := range 2 * outboxMost / bulkyBytes {
		o.put(bulky(i))
	}
	if err := o.close(); err == nil {
		t.Error("no error")
	}
}
