package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// reading is what a parser makes of an answer.
type reading struct {
	whole    bool
	used     int
	fault    lab.Fault
	text     string // of the error
	sample   lab.Sample
	persists bool
	head     string // the beginning of the body, where a pattern is searched for in it
}

// readCut has a parser read an answer that comes in these cuts. With end, the
// server then closes.
func readCut(p answerParser, end bool, cuts ...[]byte) (r reading) {
	p.reset(7)
	var err error
	for _, b := range cuts {
		var used int
		used, r.whole, err = p.read(b)
		r.used += used
		if r.whole || err != nil {
			break
		}
	}
	if !r.whole && err == nil && end {
		err = p.end()
		r.whole = err == nil
	}
	odd := p.note(&r.sample)
	if err == nil && r.whole {
		err, r.persists = odd, p.persists()
	}
	if h, ok := p.(*http1); ok {
		r.head = string(h.head)
	}
	if err != nil {
		r.fault, r.text = classify(err, true), err.Error()
	}
	return r
}

func httpParser(change func(*lab.Plan)) *http1 {
	p := lab.DefaultPlan()
	if change != nil {
		change(&p)
	}
	return &http1{about: newAbout(p)}
}

func unchanged(*lab.Plan) {}

// everyCut cuts bytes in two at each place, and into single bytes.
func everyCut(b string) (all [][][]byte) {
	var single [][]byte
	for i := range len(b) {
		all = append(all, [][]byte{[]byte(b[:i]), []byte(b[i:])})
		single = append(single, []byte(b[i:i+1]))
	}
	return append(all, single)
}

const head200 = "HTTP/1.1 200 OK\r\n"

func TestAnswersThatAreWhole(t *testing.T) {
	tests := map[string]struct {
		answer   string
		status   int
		persists bool
	}{
		"length":                     {head200 + "Content-Length: 5\r\n\r\nhello", 200, true},
		"no body":                    {head200 + "content-length:0\r\n\r\n", 200, true},
		"the same length twice":      {head200 + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200, true},
		"chunks":                     {head200 + "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, true},
		"chunks with extensions":     {head200 + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\nA \r\n0123456789\r\n0;c\r\n\r\n", 200, true},
		"chunks, trailer":            {head200 + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n", 200, true},
		"204":                        {"HTTP/1.1 204 No Content\r\n\r\n", 204, true},
		"304 with a length":          {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 304, true},
		"101 ends HTTP":              {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 101, false},
		"asks to close":              {head200 + "Connection: Close\r\nContent-Length: 0\r\n\r\n", 200, false},
		"asks to close in a list":    {head200 + "Connection: foo , close\r\nContent-Length: 0\r\n\r\n", 200, false},
		"asks to close on two lines": {head200 + "Connection: close\r\nConnection: foo\r\nContent-Length: 0\r\n\r\n", 200, false},
		"HTTP/1.0":                   {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, false},
		"HTTP/1.0 that is kept":      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200, true},
		"after early hints":          {"HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n" + head200 + "Content-Length: 2\r\n\r\nhi", 200, true},
		"no reason":                  {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, true},
		"bare line feeds":            {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 200, true},
		"a folded line without meaning": {
			head200 + "X-Foo: a\r\n b\r\nContent-Length: 0\r\n\r\n", 200, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			want := readCut(httpParser(nil), false, []byte(test.answer))
			if !want.whole || want.text != "" || want.sample.Status != test.status || want.persists != test.persists || want.used != len(test.answer) {
				t.Fatalf("%+v", want)
			}
			p := httpParser(nil) // which is used again and again
			for _, cuts := range everyCut(test.answer + "excess") {
				if got := readCut(p, false, cuts...); got != want {
					t.Fatalf("in cuts %q: %+v, want %+v", cuts, got, want)
				}
			}
		})
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	chunked := head200 + "Transfer-Encoding: chunked\r\n\r\n"
	tests := map[string]string{
		"another protocol":             "SSH-2.0-OpenSSH_9.2\r\n",
		"HTTP/2":                       "HTTP/2.0 200 OK\r\n\r\n",
		"a short status":               "HTTP/1.1 20 OK\r\n\r\n",
		"a long status":                "HTTP/1.1 2000 OK\r\n\r\n",
		"a status below 100":           "HTTP/1.1 099 OK\r\n\r\n",
		"a space before the colon":     head200 + "Content-Length : 5\r\n\r\nhello",
		"no colon":                     head200 + "Content-Length\r\n\r\n",
		"no name":                      head200 + ": x\r\n\r\n",
		"a fold before any field":      head200 + " x: y\r\n\r\n",
		"a folded length":              head200 + "Content-Length: 5\r\n 0\r\n\r\n",
		"a folded coding":              head200 + "Transfer-Encoding: chunked\r\n x\r\n\r\n",
		"a bare carriage return":       head200 + "X: a\rContent-Length: 0\r\n\r\n",
		"a zero byte":                  head200 + "X: a\x00b\r\n\r\n",
		"both lengths":                 head200 + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"both lengths, no body":        "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
		"two lengths":                  head200 + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"a list of lengths":            head200 + "Content-Length: 5, 5\r\n\r\nhello",
		"a length with a sign":         head200 + "Content-Length: +5\r\n\r\nhello",
		"no length":                    head200 + "Content-Length:\r\n\r\n",
		"a hexadecimal length":         head200 + "Content-Length: 0x5\r\n\r\nhello",
		"a length beyond all numbers":  head200 + "Content-Length: 99999999999999999999999999\r\n\r\n",
		"a length beyond the bound":    head200 + "Content-Length: 67108865\r\n\r\n",
		"another coding":               head200 + "Transfer-Encoding: gzip\r\n\r\n",
		"a coding before chunked":      head200 + "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"chunked twice":                head200 + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"chunked in HTTP/1.0":          "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"a chunk of no size":           chunked + "\r\n",
		"a chunk with a sign":          chunked + "+5\r\nhello\r\n",
		"a chunk with a prefix":        chunked + "0x5\r\nhello\r\n",
		"a chunk with a bare line end": chunked + "5\nhello\r\n0\r\n\r\n",
		"a chunk that is too long":     chunked + "5\r\nhello!\r\n0\r\n\r\n",
		"a chunk beyond the bound":     chunked + "4000001\r\n",
		"a chunk beyond all numbers":   chunked + "ffffffffffffffffff\r\n",
		"a trailer without a colon":    chunked + "0\r\nfoo\r\n\r\n",
		"too many interim answers":     strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", maxInterim+1),
		"a word of who, unreadable":    head200 + wire.Header + ": v=99\r\nContent-Length: 0\r\n\r\n",
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			want := readCut(httpParser(nil), false, []byte(answer))
			if want.fault != lab.BadAnswer {
				t.Fatalf("%+v", want)
			}
			for _, cuts := range everyCut(answer) {
				if got := readCut(httpParser(nil), false, cuts...); got.text != want.text || got.sample != want.sample {
					t.Fatalf("in cuts %q: %+v, want %+v", cuts, got, want)
				}
			}
		})
	}
}

func TestWhatTheEndOfAConnectionMeans(t *testing.T) {
	body := head200 + "\r\nhello"
	if r := readCut(httpParser(nil), true, []byte(body)); !r.whole || r.persists || r.text != "" {
		t.Errorf("a body until the end: %+v", r)
	}
	for _, short := range []string{
		"", "HTTP/1.1 2", head200, head200 + "Content-Length: 5\r\n\r\nhell", "HTTP/1.1 103 Early Hints\r\n\r\n",
		head200 + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", head200 + "Transfer-Encoding: chunked\r\n\r\n0\r\n",
	} {
		if r := readCut(httpParser(nil), true, []byte(short)); r.whole || r.fault != lab.Reset {
			t.Errorf("%q: %+v", short, r)
		}
	}
}

// TestParserKeepsToItsBounds gives it more than it may take, in pieces, and
// finds that it neither goes on nor keeps what it has.
func TestParserKeepsToItsBounds(t *testing.T) {
	tests := map[string]endless{
		"header": {"HTTP/1.1 200 OK\r\n", "X: " + strings.Repeat("y", 1<<12) + "\r\n"},
		"line":   {"HTTP/1.1 200 OK\r\nX: ", strings.Repeat("y", 1<<12)},
		"body":   {"HTTP/1.1 200 OK\r\n\r\n", strings.Repeat("y", 1<<16)},
		"chunks": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "400\r\n" + strings.Repeat("y", 1<<10) + "\r\n"},
		"chunk":  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;", strings.Repeat("y", 1<<12)},
	}
	for name, from := range tests {
		t.Run(name, func(t *testing.T) {
			p := httpParser(nil)
			p.reset(0)
			var err error
			buffer, total := make([]byte, 4096), 0
			for err == nil && total <= maxHeaderBytes+maxBodyBytes {
				n, _ := from.Read(buffer)
				total += n
				_, _, err = p.read(buffer[:n])
			}
			if !errors.Is(err, errTooLong) {
				t.Errorf("after %d bytes: %v", total, err)
			}
			if p.reset(0); len(p.line) != 0 || cap(p.line) > 2*maxHeaderBytes {
				t.Errorf("the parser keeps %d bytes", cap(p.line))
			}
		})
	}
}

func TestInstanceByHeaderAndByPattern(t *testing.T) {
	own := wire.Header + `: v=1, instance="foo", conn=1, req=1, client="127.0.0.1:1", service-ns=1` + "\r\n"
	answer := head200 + own + "X-Served-By:  cache-7 \r\nx-served-by: other\r\nContent-Length: 20\r\n\r\nI am web-3, am I not?"
	tests := map[string]struct {
		change func(*lab.Plan)
		want   string
	}{
		"its own header":       {unchanged, "foo"},
		"another header":       {func(p *lab.Plan) { p.InstanceHeader = "X-Served-By" }, "cache-7"},
		"a header it lacks":    {func(p *lab.Plan) { p.InstanceHeader = "X-Backend" }, ""},
		"a group of the body":  {func(p *lab.Plan) { p.InstancePattern = `am (web-\d)` }, "web-3"},
		"a match in the body":  {func(p *lab.Plan) { p.InstancePattern = `web-\d` }, "web-3"},
		"no match in the body": {func(p *lab.Plan) { p.InstancePattern = `db-\d` }, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, cuts := range everyCut(answer) {
				if r := readCut(httpParser(test.change), false, cuts...); !r.whole || r.text != "" || r.sample.Instance != test.want {
					t.Fatalf("in cuts %q: %+v", cuts, r)
				}
			}
		})
	}
}

// TestPatternSeesTheBeginningOfTheBody and no more of it.
func TestPatternSeesTheBeginningOfTheBody(t *testing.T) {
	for over, want := range map[int]string{0: "foo", 1: ""} {
		body := strings.Repeat("x", lab.InstancePatternBytes-3+over) + "foo" + strings.Repeat("x", 5000)
		answer := fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head200, len(body), body)
		p := httpParser(func(p *lab.Plan) { p.InstancePattern = "foo" })
		if r := readCut(p, false, []byte(answer[:100]), []byte(answer[100:])); !r.whole || r.sample.Instance != want {
			t.Errorf("%d bytes over: instance %q, want %q", over, r.sample.Instance, want)
		}
	}
}

// TestNamesThatNoReplicaHas are refused, and only so many others are kept.
func TestNamesThatNoReplicaHas(t *testing.T) {
	p := httpParser(func(p *lab.Plan) { p.InstanceHeader = "X-Id" })
	for _, name := range []string{"a\tb", "\xff", strings.Repeat("x", wire.MaxInstance+1)} {
		if r := readCut(p, false, []byte(head200+"X-Id: "+name+"\r\nContent-Length: 0\r\n\r\n")); r.fault != lab.BadAnswer {
			t.Errorf("%q: %+v", name, r)
		}
	}
	for i := range 2 * maxNames {
		name := fmt.Sprint("n", i)
		if r := readCut(p, false, []byte(head200+"X-Id: "+name+"\r\nContent-Length: 0\r\n\r\n")); r.sample.Instance != name {
			t.Fatalf("instance %q, want %q", r.sample.Instance, name)
		}
	}
	if len(p.about.known) > maxNames {
		t.Errorf("%d names are kept", len(p.about.known))
	}
}

// TestUsualFormIsReadWithoutAllocation: and the fast way is taken at all.
func TestUsualFormIsReadWithoutAllocation(t *testing.T) {
	value, err := wire.Answer{Instance: "foo bar", Connection: 12, Request: 3, Client: addrOf("[2001:db8::1]:41234"), Service: 18250}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	answer := []byte(head200 + "Date: Sat, 21 Nov 2026 16:43:13 GMT\r\n" + wire.Header + ": " + value + "\r\nContent-Length: 5\r\n\r\nhello")
	p := httpParser(nil)
	if whole := readTwo(p, answer, nil); !whole || p.who.Instance != "foo bar" || p.odd != nil {
		t.Fatalf("read %+v, error %v", p.who, p.odd)
	}
	if n := testing.AllocsPerRun(1000, func() { readTwo(p, answer, nil) }); n != 0 {
		t.Errorf("%v allocations for each answer", n)
	}
	// In two parts, once there is room for the part of a line.
	half := len(head200) + 20
	readTwo(p, answer[:half], answer[half:])
	if n := testing.AllocsPerRun(1000, func() { readTwo(p, answer[:half], answer[half:]) }); n != 0 {
		t.Errorf("%v allocations for each answer in two parts", n)
	}
}

// readTwo says whether an answer in two parts is whole.
func readTwo(p *http1, a, b []byte) bool {
	p.reset(0)
	if _, _, err := p.read(a); err != nil {
		return false
	}
	_, whole, err := p.read(b)
	return whole && err == nil
}

// randomCuts cuts bytes at random places.
func randomCuts(b []byte, seed uint64) (cuts [][]byte) {
	r := rand.New(rand.NewPCG(seed, 0))
	for len(b) > 0 {
		n := 1 + r.IntN(min(len(b), 1+r.IntN(64)))
		cuts = append(cuts, b[:n])
		b = b[n:]
	}
	return cuts
}
