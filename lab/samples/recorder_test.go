package samples

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// shuffled puts samples into an order in which none is further than reach from
// its own place, as with so many under way.
func shuffled(all []lab.Sample, reach int) []lab.Sample {
	rng := rand.New(rand.NewPCG(1, 2))
	mixed := slices.Clone(all)
	for from := 0; from < len(mixed); from += reach {
		part := mixed[from:min(from+reach, len(mixed))]
		rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
	}
	return mixed
}

func record(t testing.TB, all []lab.Sample) (*Recorder, lab.Samples) {
	t.Helper()
	r, err := NewRecorder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	for _, s := range all {
		if err := r.Record(s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Samples()
	if err != nil {
		t.Fatal(err)
	}
	return r, got
}

func TestRecordedSamplesComeBackInOrderAsOftenAsWanted(t *testing.T) {
	all := load(3000)
	_, got := record(t, shuffled(all, 64))
	for pass := range 2 {
		if diff := cmp.Diff(all, slices.Collect(got.All()), sameAddresses); diff != "" {
			t.Fatalf("pass %d (-recorded +read):\n%s", pass, diff)
		}
	}
	if got.Len() != len(all) || got.Err() != nil {
		t.Errorf("%d samples of %d, error %v", got.Len(), len(all), got.Err())
	}
	for range got.All() {
		break // that it is not read to the end is no error
	}
	if got.Err() != nil {
		t.Errorf("after a pass that was left: %v", got.Err())
	}
}

// A load that was cut off lacks some requests.
func TestGapsAreToleratedAtTheEnd(t *testing.T) {
	all := load(200)
	gaps := slices.DeleteFunc(slices.Clone(all), func(s lab.Sample) bool { return s.Request%7 == 3 || s.Request == 0 })
	_, got := record(t, shuffled(gaps, 50))
	if diff := cmp.Diff(gaps, slices.Collect(got.All()), sameAddresses); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyWhatWaitsIsInMemory(t *testing.T) {
	all := load(50_000)
	const reach = 100
	r, _ := record(t, shuffled(all, reach))
	if n := len(r.waiting.slots); n >= reach {
		t.Errorf("room for %d samples was made, where fewer than %d waited", n, reach)
	}
}

func TestTwoSamplesOfARequestAreAnError(t *testing.T) {
	for name, numbers := range map[string][]int{"at once": {0, 0}, "later": {0, 1, 2, 1, 3}, "waiting": {2, 2, 0, 1}} {
		r, err := NewRecorder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for _, n := range numbers {
			err = errors.Join(err, r.Record(lab.Sample{Request: n}))
		}
		_, e := r.Samples()
		if err = errors.Join(err, e); err == nil || !strings.Contains(err.Error(), "two of request") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestWithoutAFolderSamplesAreInMemory(t *testing.T) {
	r, err := NewRecorder(filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := load(100)
	for _, s := range all {
		if err := r.Record(s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := r.Samples()
	if err != nil || !cmp.Equal(all, slices.Collect(got.All()), sameAddresses) {
		t.Errorf("they came back changed, error %v", err)
	}
}

func TestNothingIsLeftInTheFolder(t *testing.T) {
	dir := t.TempDir()
	r, err := NewRecorder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the folder has %v while samples are recorded (%v)", entries, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewRecorder(file); err == nil {
		t.Error("a folder that is a file is no error")
	}
}

func TestAFileIsOpenedAgain(t *testing.T) {
	all := load(2000)
	_, recorded := record(t, all)
	var file, again bytes.Buffer
	if err := errors.Join(Encode(&file, recorded), Encode(&again, lab.SampleList(all))); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file.Bytes(), again.Bytes()) {
		t.Error("the same samples from memory are other bytes")
	}
	f := opened(t, file.Bytes())
	if diff := cmp.Diff(all, slices.Collect(f.All()), sameAddresses); diff != "" || f.Len() != len(all) {
		t.Errorf("%d samples: %s", f.Len(), diff)
	}
}

func opened(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := Open(put(t, data))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "samples.bin.gz")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestADamagedFileIsNotOpened(t *testing.T) {
	var whole bytes.Buffer
	if err := Encode(&whole, lab.SampleList(load(300))); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < whole.Len(); n += 7 {
		_, err := Open(put(t, whole.Bytes()[:n]))
		if _, damaged := errors.AsType[*DamageError](err); !damaged || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("the first %d of %d bytes: %v", n, whole.Len(), err)
		}
	}
	var more bytes.Buffer
	zip := packed(&more)
	if err := errors.Join(NewWriter(zip).Close(), NewWriter(zip).Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(put(t, more.Bytes())); err == nil || !strings.Contains(err.Error(), "something follows") {
		t.Errorf("two streams in one file: %v", err)
	}
	var disorder bytes.Buffer
	if err := Encode(&disorder, lab.SampleList{{Request: 4}, {Request: 4}}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(put(t, disorder.Bytes())); err == nil || !strings.Contains(err.Error(), "request 4 comes after request 4") {
		t.Errorf("a request twice: %v", err)
	}
}

func BenchmarkRecorder(b *testing.B) {
	all := shuffled(load(200_000), 64)
	r, err := NewRecorder(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	b.ReportAllocs()
	i, round := 0, 0
	for b.Loop() {
		s := all[i]
		s.Request += round * len(all)
		if err := r.Record(s); err != nil {
			b.Fatal(err)
		}
		if i++; i == len(all) {
			i, round = 0, round+1
		}
	}
	if _, err := r.Samples(); err != nil {
		b.Fatal(err)
	}
	info, err := r.file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(r.done.count), "bytes/sample")
}

func BenchmarkFile(b *testing.B) {
	_, got := record(b, load(200_000))
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for n < b.N {
		for range got.All() {
			if n++; n == b.N {
				break
			}
		}
	}
}
