package load

import (
	"errors"
	"io"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/samples"
)

// TestOutboxLosesNothing has a reader that takes little at a time, so that the
// outbox fills up.
func TestOutboxLosesNothing(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	const all = 3 * outboxMost
	in, out := io.Pipe()
	o := openOutbox(samples.NewWriter(out))
	go func() {
		for i := range all {
			o.put(lab.Sample{Request: i})
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
	o := openOutbox(samples.NewWriter(out))
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
	o := openOutbox(samples.NewWriter(full{}))
	for i := range 2 * outboxMost {
		o.put(lab.Sample{Request: i})
	}
	if err := o.close(); err == nil {
		t.Error("no error")
	}
}
