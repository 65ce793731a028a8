package load

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

func addrOf(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// FuzzHTTP1: in whatever cuts an answer comes, it is read the same; and where
// net/http takes it too, both agree on what it says.
func FuzzHTTP1(f *testing.F) {
	own := wire.Header + `: v=1, instance="foo", conn=1, req=1, client="127.0.0.1:1", service-ns=1` + "\r\n"
	for _, answer := range []string{
		head200 + own + "Content-Length: 5\r\n\r\nhello",
		head200 + own + own + "Transfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.0 503 No\r\nConnection: keep-alive\r\n\r\nhello",
		"HTTP/1.1 304 Not Modified\nContent-Length: 5\nX: y\n z\n\n",
		head200 + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		head200 + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
	} {
		f.Add([]byte(answer), uint64(1), true)
		f.Add([]byte(answer), uint64(2), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, end bool) {
		for name, change := range map[string]func(*lab.Plan){
			"own":     unchanged,
			"header":  func(p *lab.Plan) { p.InstanceHeader = "X" },
			"pattern": func(p *lab.Plan) { p.InstancePattern = "(?s).*" },
		} {
			p := httpParser(change)
			readCut(p, end, []byte("HTTP/1.1 200 OK\r\nX: old\r\nContent-Le")) // what an earlier answer left
			want := readCut(p, end, data)
			if got := readCut(httpParser(change), end, randomCuts(data, seed)...); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: in cuts %+v, in one piece %+v", name, got, want)
			}
			if want.text != "" && want.fault != lab.BadAnswer && want.fault != lab.Reset {
				t.Errorf("%s: fault %q of %q", name, want.fault, want.text)
			}
			compareWithNetHTTP(t, data, want, name)
		}
	})
}

// compareWithNetHTTP holds an answer that is whole against net/http's reading.
func compareWithNetHTTP(t *testing.T, data []byte, r reading, name string) {
	t.Helper()
	if !r.whole || r.sample.Status == 0 {
		return
	}
	from := bufio.NewReader(bytes.NewReader(data[:r.used]))
	var answer *http.Response
	for {
		var err error
		if answer, err = http.ReadResponse(from, nil); err != nil {
			return
		}
		if answer.StatusCode >= 200 || answer.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return
	}
	if answer.StatusCode != r.sample.Status {
		t.Errorf("status %d, and %d by net/http", r.sample.Status, answer.StatusCode)
	}
	switch name {
	case "own":
		var s lab.Sample
		if err := identify(&s, answer.Header); (err == nil) != (r.text == "") || err == nil && s.Instance != r.sample.Instance {
			t.Errorf("read %+v; by net/http %+v, error %v", r, s, err)
		}
	case "header":
		value := answer.Header.Get("X")
		if checked := wire.CheckInstance(value) == nil || value == ""; checked != (r.text == "") || checked && r.sample.Instance != value {
			t.Errorf("header %q, and %q by net/http", r.sample.Instance, value)
		}
	case "pattern":
		if got := string(body[:min(len(body), lab.InstancePatternBytes)]); got != r.head {
			t.Errorf("body %q, and %q by net/http", r.head, got)
		}
	}
}

// FuzzIdentity: the fast way of reading who answered takes only what package
// wire takes, and reads the same from it.
func FuzzIdentity(f *testing.F) {
	f.Add(`v=1, instance="foo", conn=1, req=1, client="127.0.0.1:1", service-ns=1`)
	f.Add(`v=1, instance="foo", conn=0, req=1, client="127.0.0.1:1", service-ns=1`)
	f.Add(`v=1, instance="foo", conn=1, req=0, client="127.0.0.1:1", service-ns=1`)
	f.Add(`v=1, instance="", conn=1, req=1, client="127.0.0.1:1", service-ns=1`)
	f.Add(`v=1, instance="foo", conn=012, req=999999999999999, client="[::ffff:127.0.0.1]:1", service-ns=0`)
	f.Add(`v=1, instance=%"caf%c3%a9", conn=1, req=1, client="[fe80::1%eth0]:1", service-ns=1`)
	f.Add(`v=1, instance="f\"o", conn=0, req=1, client="127.0.0.1:1", service-ns=1000000000000000`)
	f.Fuzz(func(t *testing.T, value string) {
		a := newAbout(lab.DefaultPlan())
		got, ok := a.usual([]byte(value))
		if !ok {
			return
		}
		if want, err := wire.Parse(value); err != nil || want != got {
			t.Errorf("%q: read %+v; package wire reads %+v, error %v", value, got, want, err)
		}
	})
}

// FuzzLines: in whatever cuts a line comes, it is read the same.
func FuzzLines(f *testing.F) {
	f.Add([]byte("7 v=1, instance=\"foo\", conn=1, req=1, client=\"127.0.0.1:1\", service-ns=1 xxxx\n"), uint64(1))
	f.Add([]byte("7 error no such path\r\n"), uint64(2))
	f.Add([]byte("220 mail.example ESMTP\r\nmore"), uint64(3))
	f.Add([]byte("7 "+strings.Repeat("x", 5000)+"\n"), uint64(4))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		parser := func() *lines { return &lines{about: newAbout(lab.DefaultPlan())} }
		want := readCut(parser(), true, data)
		if got := readCut(parser(), true, randomCuts(data, seed)...); !reflect.DeepEqual(got, want) {
			t.Errorf("in cuts %+v, in one piece %+v", got, want)
		}
	})
}
