package report

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/samples"
)

var sameAddresses = cmpopts.EquateComparable(netip.AddrPort{})

// oddSamples hold whatever may need escaping, and every field.
func oddSamples() lab.SampleList {
	return lab.SampleList{
		{},
		{Request: 1, Connection: 1, Due: -1, Begun: 5, Done: 1<<62 + 1, Local: netip.MustParseAddrPort("[fe80::1%eth0]:1"),
			Target: netip.MustParseAddrPort("[::ffff:10.0.0.1]:65535"), Instance: "a,\"b\"|c", Status: 200, ClosedFirst: lab.ClientEnd},
		{Request: 2, Fault: lab.BadAnswer, Detail: "line one\r\nline two\n\\n \"quoted\", \\", ReplicaConnection: 1<<64 - 1, Reordered: true},
		{Request: 3, Fault: lab.Fault("new\nclass"), Detail: "\xff\x00 ünïcode", Service: time.Hour, Duplicates: 2},
		{Request: 9, Instance: "\\.", Detail: `\r`, Connected: 3, FirstByte: 4, ReplicaRequest: 5, ReplicaSaw: netip.MustParseAddrPort("10.0.0.1:9")},
	}
}

func asCSV(t testing.TB, all lab.Samples) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := CSV(&b, all, false); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCSVHasEverySampleAndOneLineForEach(t *testing.T) {
	_, usual := fixtures()[2].make()
	for name, all := range map[string]lab.SampleList{"odd": oddSamples(), "usual": usual, "none": {}} {
		written := asCSV(t, all)
		if lines := bytes.Count(written, []byte("\n")); lines != len(all)+1 {
			t.Errorf("%s: %d lines for %d samples and a header", name, lines, len(all))
		}
		got, err := readCSV(bytes.NewReader(written))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(all, got, sameAddresses); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// zipped is a samples.csv.gz as an earlier portlab wrote it: without the
// columns that it did not know.
func zipped(t testing.TB, all lab.Samples) []byte {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(asCSV(t, all))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	later := []string{"begun_ns", "duplicates", "reordered", "closed_first"}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := csv.NewWriter(z)
	head := rows[0]
	for _, row := range rows {
		var known []string
		for i, field := range row {
			if !slices.Contains(later, head[i]) {
				known = append(known, field)
			}
		}
		if err := w.Write(known); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	z.Close()
	return b.Bytes()
}

// earlierFolder is a report as an earlier portlab left it.
func earlierFolder(t *testing.T, f fixture, raw func([]byte) []byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	put(t, dir, f)
	_, all := f.make()
	remove(t, dir, samplesFile)
	if err := os.WriteFile(filepath.Join(dir, earlierFile), raw(zipped(t, all)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAFolderOfAnEarlierPortlabIsRead(t *testing.T) {
	f := fixtures()[0]
	dir := earlierFolder(t, f, func(b []byte) []byte { return b })
	r, got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, want := f.make()
	if diff := cmp.Diff(want, got, sameAddresses); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	if err := Write(dir, r, got); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	if _, there := files[earlierFile]; there || files[samplesFile] == "" {
		t.Errorf("after it is written again it has %v", sortedKeys(files))
	}
}

func TestADamagedFolderOfAnEarlierPortlabIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		want  string
	}{
		"nothing": {func([]byte) []byte { return nil }, "before the first row"},
		"half":    {func(b []byte) []byte { return b[:len(b)/2] }, "truncated"},
		"no gzip": {func([]byte) []byte { return []byte("request,connection\n") }, "not what portlab wrote"},
	} {
		dir := earlierFolder(t, fixtures()[0], c.spoil)
		_, _, err := Read(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), earlierFile) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestReadCSVSaysWhatIsWrongAndWhere(t *testing.T) {
	const head = "request,due_ns,local,detail\n"
	for name, c := range map[string]struct{ in, want string }{
		"nothing":           {"", "before its header"},
		"other header":      {strings.Replace(head, "due_ns", "due_ms", 1), `"due_ms"`},
		"a column twice":    {strings.Replace(head, "due_ns", "request", 1), `column 2 is "request"`},
		"too few columns":   {head + "1,2,3\n", "line 2"},
		"no number":         {head + "0,soon,,\n", "line 2: column due_ns"},
		"no address":        {head + "0,1,somewhere,\n", "line 2: column local"},
		"no escape":         {head + "0,1,,\\x\n", "line 2: column detail"},
		"a request twice":   {head + "4,1,,\n4,1,,\n", "line 3: request 4 after request 4"},
		"out of order":      {head + "4,1,,\n3,1,,\n", "request 3 after request 4"},
		"a quote left open": {head + "0,1,,\"open\n", "line 2"},
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
	f.Add(asCSV(f, oddSamples()))
	f.Add([]byte(strings.Join(header(columns), ",") + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		all, err := readCSV(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := readCSV(bytes.NewReader(asCSV(t, all)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, again, sameAddresses); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

const samplesDocument = "../docs/samples.md"

func TestEveryColumnIsDocumented(t *testing.T) {
	doc, err := os.ReadFile(samplesDocument)
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(doc), "| column |")
	if !found {
		t.Fatal("there is no table of columns")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	var documented []string
	for line := range strings.Lines(table) {
		if rest, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ := strings.Cut(rest, "`")
			documented = append(documented, name)
		}
	}
	if diff := cmp.Diff(header(columns), documented); diff != "" {
		t.Errorf("columns (-file +%s):\n%s", samplesDocument, diff)
	}
}

// The reader in another language that the document shows reads what portlab
// writes.
func TestTheReaderOfTheDocumentReadsSamples(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3 here")
	}
	doc, err := os.ReadFile(samplesDocument)
	if err != nil {
		t.Fatal(err)
	}
	_, program, found := strings.Cut(string(doc), "```python\n")
	program, _, ended := strings.Cut(program, "```\n")
	if !found || !ended {
		t.Fatal("the document shows no program")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "samples.py")
	if err := os.WriteFile(script, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	_, usual := fixtures()[1].make()
	for name, all := range map[string]lab.SampleList{"odd": oddSamples(), "usual": usual, "none": {}} {
		var file bytes.Buffer
		if err := samples.Encode(&file, all); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, samplesFile)
		if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, script, path).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if diff := cmp.Diff(rows(t, asCSV(t, all)), rows(t, out)); diff != "" {
			t.Errorf("%s (-portlab +python):\n%s", name, diff)
		}
		if err := os.WriteFile(path, file.Bytes()[:file.Len()/2], 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(python, script, path).CombinedOutput(); err == nil {
			t.Errorf("%s: half a file is no error:\n%s", name, out)
		}
	}
}

func rows(t *testing.T, data []byte) [][]string {
	t.Helper()
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all
}
