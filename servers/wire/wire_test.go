package wire_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/servers/wire"
)

func answer() wire.Answer {
	return wire.Answer{
		Instance: "foo", Connection: 12, Request: 3,
		Client:  netip.MustParseAddrPort("198.19.0.2:41234"),
		Service: 18250 * time.Nanosecond,
	}
}

// TestDocumentedExample holds the package comment's example against the code.
func TestDocumentedExample(t *testing.T) {
	const line = `v=1, instance="foo", conn=12, req=3, client="198.19.0.2:41234", service-ns=18250`
	got, err := wire.Parse(line)
	if err != nil || got != answer() {
		t.Errorf("Parse = %+v, %v; want %+v", got, err, answer())
	}
	if got, err := answer().Encode(); err != nil || got != line {
		t.Errorf("Encode = %s, %v; want %s", got, err, line)
	}
}

func TestInstanceNamesSurvive(t *testing.T) {
	for _, name := range []string{
		"foo", `say "hi"`, `back\slash`, `\"`, "100%", "a, b=2; c", " leading and trailing ",
		"café", "日本", "🐳 whale", "%c3", `ü"%\`, strings.Repeat("x", wire.MaxInstance),
	} {
		a := answer()
		a.Instance = name
		line, err := a.Encode()
		if err != nil {
			t.Errorf("Encode with %q: %v", name, err)
			continue
		}
		if got, err := wire.Parse(line); err != nil || got != a {
			t.Errorf("Parse(%s) = %+v, %v; want %+v", line, got, err, a)
		}
	}
}

func TestDisplayStringAsDocumented(t *testing.T) {
	a := answer()
	a.Instance = "café"
	line, err := a.Encode()
	if want := `instance=%"caf%c3%a9"`; err != nil || !strings.Contains(line, want) {
		t.Errorf("Encode = %s, %v; want %s in it", line, err, want)
	}
}

func TestAddressesSurvive(t *testing.T) {
	for in, want := range map[string]string{
		"[2001:db8::1]:1024":      "[2001:db8::1]:1024",
		"[fe80::1%eth0]:65535":    "[fe80::1%eth0]:65535",
		"[::ffff:192.0.2.1]:1024": "192.0.2.1:1024",
	} {
		a := answer()
		a.Client = netip.MustParseAddrPort(in)
		line, err := a.Encode()
		if err != nil {
			t.Errorf("Encode with %s: %v", in, err)
			continue
		}
		if got, err := wire.Parse(line); err != nil || got.Client.String() != want {
			t.Errorf("Parse(%s) has client %v, %v; want %s", line, got.Client, err, want)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for what, spoil := range map[string]func(*wire.Answer){
		"empty":             func(a *wire.Answer) { a.Instance = "" },
		"at most 256 bytes": func(a *wire.Answer) { a.Instance = strings.Repeat("x", wire.MaxInstance+1) },
		"control character": func(a *wire.Answer) { a.Instance = "foo\r\nSet-Cookie: x" },
		"UTF-8":             func(a *wire.Answer) { a.Instance = "\xff" },
		"connection 0":      func(a *wire.Answer) { a.Connection = 0 },
		"request 1000000":   func(a *wire.Answer) { a.Request = 1_000_000_000_000_000 },
		"service time":      func(a *wire.Answer) { a.Service = -1 },
		"address":           func(a *wire.Answer) { a.Client = netip.AddrPort{} },
		"zone":              func(a *wire.Answer) { a.Client = netip.MustParseAddrPort("[fe80::1%a\nb]:1") },
	} {
		a := answer()
		spoil(&a)
		if line, err := a.Encode(); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Encode = %q, %v; want an error about %q", line, err, what)
		}
	}
}

const example = `v=1, instance="foo", conn=12, req=3, client="198.19.0.2:41234", service-ns=18250`

// TestForwardCompatible adds what a later writer may add: keys of every type
// of RFC 9651, parameters, another order, other white space.
func TestForwardCompatible(t *testing.T) {
	for _, line := range []string{
		example + `, cpu=1.25, tags=("a" b;c=1 :aGk=:), on, off=?0, at=@1659578233, who=%"%c3%bc", t=*a/b:c`,
		`zone="a, b=\"c\"";p;q=-7, ` + example,
		"  " + strings.ReplaceAll(example, ", ", " \t,\t"),
		strings.ReplaceAll(example, "conn=12", `conn=12;of="all"`),
		"conn=99, " + example, // of two the last counts
		`instance=(1 2), ` + example,
		strings.ReplaceAll(example, `"foo"`, `%"foo"`),
		`service-ns=18250, client="198.19.0.2:41234", req=3, conn=12, instance="foo", v=1, empty=()`,
	} {
		if got, err := wire.Parse(line); err != nil || got != answer() {
			t.Errorf("Parse(%s) = %+v, %v; want %+v", line, got, err, answer())
		}
	}
}

func TestParseRefuses(t *testing.T) {
	with := func(part, instead string) string { return strings.Replace(example, part, instead, 1) }
	for line, what := range map[string]string{
		"":                                       "the key v is missing",
		"v=2":                                    "version 2",
		"v=1":                                    "the key instance is missing",
		with(`, conn=12`, ``):                    "the key conn is missing",
		with(`conn=12`, `conn`):                  "conn is not an Integer",
		with(`conn=12`, `conn=1.5`):              "conn is not an Integer",
		with(`conn=12`, `conn="12"`):             "conn is not an Integer",
		with(`conn=12`, `conn=-1`):               "negative",
		with(`conn=12`, `conn=0`):                "connection 0",
		with(`conn=12`, `conn=1234567890123456`): "15 digits",
		with(`"foo"`, `foo`):                     "instance is not a String",
		with(`"foo"`, `""`):                      "empty",
		with(`"foo"`, `"foo`):                    "comma",
		with(`"foo"`, `"f\oo"`):                  "after a backslash",
		with(`"foo"`, "\"f\x00o\""):              "printable",
		with(`"foo"`, `%"%C3%BC"`):               "lower-case hexadecimal",
		with(`"foo"`, `%"%c3"`):                  "UTF-8",
		with(`"foo"`, `%"%0a"`):                  "control character",
		with(`"foo"`, `%foo`):                    "quotation mark after the per cent",
		with(`198.19.0.2:41234`, `localhost:1`):  "client",
		with(`req=3`, `req=3 7`):                 "a comma is wanted at byte",
		with(`req=3`, `REQ=3`):                   "a key is wanted at byte 31, not 'R'",
		example + ",":                            "another key",
		example + ", x=":                         "a value is wanted where the value ends",
		example + ", x=(1":                       "parenthesis",
		example + ", x=:a":                       "closing colon",
		example + ", x=?2":                       "0 or 1",
		example + ", x=@1.5":                     "whole seconds",
		example + ", x=1.":                       "decimal",
		example + ", x=-":                        "a digit",
		example + ", x;=1":                       "a key",
	} {
		if got, err := wire.Parse(line); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("Parse(%s) = %+v, %v; want an error about %q", line, got, err, what)
		}
	}
}

// FuzzParse: nothing makes Parse panic, and what it accepts can be written
// again and means the same.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"", example, example + `, x=(1 "a";b=:aGk=: 2.5);y, z=@-1`, `v=1, instance=%"%f0%9f%90%b3"`, `v=1,instance="\\\""`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a, err := wire.Parse(line)
		if err != nil {
			return
		}
		again, err := a.Encode()
		if err != nil {
			t.Fatalf("Parse accepts %q, Encode refuses %+v: %v", line, a, err)
		}
		if b, err := wire.Parse(again); err != nil || b != a {
			t.Fatalf("Parse(%q) = %+v, %v; want %+v", again, b, err, a)
		}
	})
}

// FuzzRoundTrip: what Encode accepts, Parse reads back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("foo", uint64(1), uint64(1), "127.0.0.1:80", int64(0))
	f.Add(`ü"%\`, uint64(1<<63), uint64(999_999_999_999_999), "[fe80::1%a]:1", int64(-1))
	f.Fuzz(func(t *testing.T, name string, connection, request uint64, client string, service int64) {
		addr, err := netip.ParseAddrPort(client)
		if err != nil {
			t.Skip("no address")
		}
		a := wire.Answer{Instance: name, Connection: connection, Request: request, Client: addr, Service: time.Duration(service)}
		line, err := a.Encode()
		if err != nil {
			return
		}
		a.Client = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
		if b, err := wire.Parse(line); err != nil || b != a {
			t.Fatalf("Parse(%q) = %+v, %v; want %+v", line, b, err, a)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Parse(example); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	b.ReportAllocs()
	a := answer()
	for b.Loop() {
		if _, err := a.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}
