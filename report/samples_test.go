package report

import (
	"bytes"
	"compress/gzip"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portlab/portlab/lab"
)

var sameAddresses = cmpopts.EquateComparable(netip.AddrPort{})

// oddSamples hold whatever may need escaping.
func oddSamples() lab.SampleList {
	return lab.SampleList{
		{},
		{Request: 1, Connection: 1, Due: -1, Done: 1<<62 + 1, Local: netip.MustParseAddrPort("[fe80::1%eth0]:1"),
			Target: netip.MustParseAddrPort("[::ffff:10.0.0.1]:65535"), Instance: "a,\"b\"|c", Status: 200},
		{Request: 2, Fault: lab.BadAnswer, Detail: "line one\r\nline two\n\\n \"quoted\", \\", ReplicaConnection: 1<<64 - 1},
		{Request: 3, Fault: lab.Fault("new\nclass"), Detail: "\xff\x00 ünïcode", Service: time.Hour},
		{Request: 9, Instance: "\\.", Detail: `\r`},
	}
}

func written(t testing.TB, samples lab.SampleList) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeSamples(&b, samples); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestSamplesComeBackAsTheyWere(t *testing.T) {
	_, usual := fixtures()[2].make()
	for name, samples := range map[string]lab.SampleList{"odd": oddSamples(), "usual": usual, "none": {}} {
		got, err := readSamples(bytes.NewReader(written(t, samples)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(samples, got, sameAddresses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestSamplesAreOneLineEachInOrder(t *testing.T) {
	samples := oddSamples()
	samples[0], samples[3] = samples[3], samples[0]
	z, err := gzip.NewReader(bytes.NewReader(written(t, samples)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines != len(samples)+1 {
		t.Errorf("%d lines for %d samples and a header", lines, len(samples))
	}
	got, err := readCSV(&b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(oddSamples(), got, sameAddresses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if samples[0].Request == 0 {
		t.Error("the caller's samples were put into another order")
	}
}

func TestTruncatedSamplesAreRefusedAtEveryByte(t *testing.T) {
	whole := written(t, oddSamples())
	for n := range whole {
		if _, err := readSamples(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("the first %d of %d bytes are taken for the whole", n, len(whole))
		}
	}
	_, many := fixtures()[1].make()
	whole = written(t, many)
	_, err := readSamples(bytes.NewReader(whole[:len(whole)/2]))
	if err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("half a file: %v", err)
	}
}

func TestReadCSVSaysWhatIsWrongAndWhere(t *testing.T) {
	head := strings.Join(header(), ",") + "\n"
	row := func(request, due, local, detail string) string {
		return request + ",0," + due + ",0,0,0," + local + ",,foo,200,," + detail + ",0,0,,0\n"
	}
	for name, c := range map[string]struct{ in, want string }{
		"nothing":           {"", "before its header"},
		"other header":      {strings.Replace(head, "due_ns", "due_ms", 1), `"due_ms"`},
		"too few columns":   {head + "1,2,3\n", "line 2"},
		"no number":         {head + row("0", "soon", "", ""), "line 2: column due_ns"},
		"no address":        {head + row("0", "1", "somewhere", ""), "line 2: column local"},
		"no escape":         {head + row("0", "1", "", `\x`), "line 2: column detail"},
		"a request twice":   {head + row("4", "1", "", "") + row("4", "1", "", ""), "line 3: request 4 after request 4"},
		"out of order":      {head + row("4", "1", "", "") + row("3", "1", "", ""), "request 3 after request 4"},
		"a quote left open": {head + row("0", "1", "", `"open`), "line 2"},
	} {
		_, err := readCSV(strings.NewReader(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// What the reader accepts, it must give back unchanged when it is written and
// read again.
func FuzzReadCSV(f *testing.F) {
	var b bytes.Buffer
	if err := writeCSV(&b, oddSamples()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(strings.Join(header(), ",") + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		samples, err := readCSV(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := readSamples(bytes.NewReader(written(t, samples)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(samples, again, sameAddresses); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

func TestEveryColumnIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../docs/samples.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(doc)) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(rest, "`")
			documented = append(documented, name)
		}
	}
	if diff := cmp.Diff(header(), documented); diff != "" {
		t.Errorf("columns (-file +docs/samples.md):\n%s", diff)
	}
}
