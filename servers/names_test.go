package servers

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func webOf(n int) namesFile {
	f := namesFile{Listen: []string{"127.0.0.1:0"}, Name: "web.portlab.test.", TTL: "30s", Order: OrderRotate}
	at := netip.MustParseAddr("198.18.0.1")
	for range n {
		at = at.Next()
		f.Addresses = append(f.Addresses, at.String())
	}
	return f
}

func zoneOf(t testing.TB, f namesFile) *zone {
	t.Helper()
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseNamesConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	return newZone(c)
}

// asking is a message with one question; a change may make it another.
func asking(t testing.TB, name string, kind dnsmessage.Type, change func(*dnsmessage.Message)) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	}
	if change != nil {
		change(&m)
	}
	text, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func withEDNS(size int, version uint32) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		var h dnsmessage.ResourceHeader
		_ = h.SetEDNS0(size, 0, false)
		h.TTL |= version << 16
		m.Additionals = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.OPTResource{}}}
	}
}

func read(t testing.TB, text []byte) dnsmessage.Message {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack(text); err != nil {
		t.Fatalf("%x: %v", text, err)
	}
	return m
}

// given are the addresses of an answer, in its order.
func given(m dnsmessage.Message) []string {
	var all []string
	for _, r := range m.Answers {
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			all = append(all, netip.AddrFrom4(b.A).String())
		case *dnsmessage.AAAAResource:
			all = append(all, netip.AddrFrom16(b.AAAA).String())
		}
	}
	return all
}

func TestNamesRotateEachTypeByItself(t *testing.T) {
	f := webOf(3)
	f.Addresses = append(f.Addresses, "2001:2::1", "2001:2::2")
	z := zoneOf(t, f)
	for _, want := range []string{"2 3 4", "3 4 2", "4 2 3", "2 3 4"} {
		got := strings.ReplaceAll(strings.Join(given(read(t, z.answer(asking(t, "web.portlab.test.", dnsmessage.TypeA, nil), false))), " "), "198.18.0.", "")
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
		z.answer(asking(t, "web.portlab.test.", dnsmessage.TypeAAAA, nil), false)
	}
	if got := given(read(t, z.answer(asking(t, "web.portlab.test.", dnsmessage.TypeAAAA, nil), false))); !slices.Equal(got, f.Addresses[3:]) {
		t.Errorf("the fifth answer of IPv6 is %v", got)
	}
}

// An answer that does not fit gives no address, so it takes no turn either.
func TestNamesTooLongTakeNoTurn(t *testing.T) {
	z := zoneOf(t, webOf(200))
	query := asking(t, "web.portlab.test.", dnsmessage.TypeA, nil)
	for i := range 3 {
		if m := read(t, z.answer(query, false)); !m.Truncated {
			t.Fatal("200 addresses fit into 512 bytes")
		}
		if got, want := given(read(t, z.answer(query, true)))[0], webOf(200).Addresses[i]; got != want {
			t.Errorf("answer %d begins with %s, want %s", i, got, want)
		}
	}
}

func TestNamesOrders(t *testing.T) {
	for order, want := range map[string]int{OrderFixed: 1, OrderRandom: 3, OrderRotate: 3} {
		f := webOf(3)
		f.Order = order
		z, first := zoneOf(t, f), map[string]bool{}
		for range 100 {
			all := given(read(t, z.answer(asking(t, f.Name, dnsmessage.TypeA, nil), false)))
			first[all[0]] = true
			slices.Sort(all)
			if !slices.Equal(all, f.Addresses) {
				t.Fatalf("%s: %v", order, all)
			}
		}
		if len(first) != want { // at random, by 2 in 10^17
			t.Errorf("%s: %d of 3 addresses came first in 100 answers, want %d", order, len(first), want)
		}
	}
}

func TestNamesAnswers(t *testing.T) {
	z := zoneOf(t, webOf(3))
	const own = "web.portlab.test."
	for name, c := range map[string]struct {
		query         []byte
		code          dnsmessage.RCode
		answers       int
		authoritative bool
		empty         bool // says that there is no such record
	}{
		"its name":          {asking(t, own, dnsmessage.TypeA, nil), 0, 3, true, false},
		"in other letters":  {asking(t, "wEb.PORTLAB.test.", dnsmessage.TypeA, nil), 0, 3, true, false},
		"no such type":      {asking(t, own, dnsmessage.TypeAAAA, nil), 0, 0, true, true},
		"below it":          {asking(t, "a."+own, dnsmessage.TypeA, nil), dnsmessage.RCodeNameError, 0, true, true},
		"its start":         {asking(t, own, dnsmessage.TypeSOA, nil), 0, 1, true, false},
		"another":           {asking(t, "portlab.test.", dnsmessage.TypeA, nil), dnsmessage.RCodeRefused, 0, false, false},
		"that ends like it": {asking(t, "a"+own, dnsmessage.TypeA, nil), dnsmessage.RCodeRefused, 0, false, false},
		"of another class": {asking(t, own, dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }),
			dnsmessage.RCodeRefused, 0, false, false},
		"an update": {asking(t, own, dnsmessage.TypeA, func(m *dnsmessage.Message) { m.OpCode = 5 }), dnsmessage.RCodeNotImplemented, 0, false, false},
		"no question": {asking(t, own, dnsmessage.TypeA, func(m *dnsmessage.Message) { m.Questions = nil }),
			dnsmessage.RCodeFormatError, 0, false, false},
		"cut off": {asking(t, own, dnsmessage.TypeA, nil)[:14], dnsmessage.RCodeFormatError, 0, false, false},
	} {
		m := read(t, z.answer(c.query, false))
		if m.ID != 7 || !m.Response || m.RecursionAvailable || m.Truncated {
			t.Errorf("%s: %s", name, m.GoString())
		}
		if m.RCode != c.code || len(m.Answers) != c.answers || m.Authoritative != c.authoritative || (len(m.Authorities) == 1) != c.empty {
			t.Errorf("%s: %s", name, m.GoString())
		}
	}
}

// Whoever is sent an answer must not answer it.
func TestNamesDoNotAnswerAnswers(t *testing.T) {
	z := zoneOf(t, webOf(1))
	answer := z.answer(asking(t, "web.portlab.test.", dnsmessage.TypeA, nil), false)
	for _, message := range [][]byte{answer, answer[:5], nil} {
		if got := z.answer(message, false); got != nil {
			t.Errorf("%x is answered by %x", message, got)
		}
	}
}

func TestNamesSizes(t *testing.T) {
	z := zoneOf(t, webOf(200))
	for _, c := range []struct {
		edns      func(*dnsmessage.Message)
		n, most   int
		byTCP, tc bool
	}{
		{nil, 200, plainSize, false, true},
		{withEDNS(100, 0), 200, plainSize, false, true},
		{withEDNS(65000, 0), 200, ednsSize, false, true},
		{withEDNS(ednsSize, 0), 200, streamSize, true, false},
		{nil, 30, plainSize, false, true},
		{withEDNS(600, 0), 30, 600, false, false},
	} {
		z := z
		if c.n != 200 {
			z = zoneOf(t, webOf(c.n))
		}
		text := z.answer(asking(t, "web.portlab.test.", dnsmessage.TypeA, c.edns), c.byTCP)
		m := read(t, text)
		if len(text) > c.most || m.Truncated != c.tc || (len(m.Answers) == c.n) == c.tc {
			t.Errorf("%+v: %d bytes, truncated %v, %d answers", c, len(text), m.Truncated, len(m.Answers))
		}
		if (len(m.Additionals) == 1) != (c.edns != nil) {
			t.Errorf("%+v: %d OPT records", c, len(m.Additionals))
		}
	}
	m := read(t, z.answer(asking(t, "web.portlab.test.", dnsmessage.TypeA, withEDNS(1232, 1)), false))
	if code := m.Additionals[0].Header.ExtendedRCode(m.RCode); code != badVersion {
		t.Errorf("EDNS version 1: %v", code)
	}
}

func TestNamesConfigSaysWhatIsWrong(t *testing.T) {
	many := webOf(maxNames + 1)
	for want, change := range map[string]func(*namesFile){
		`"listen" names no`:   func(f *namesFile) { f.Listen = nil },
		`"listen" entry 1`:    func(f *namesFile) { f.Listen[0] = "localhost" },
		`"addresses" entry 2`: func(f *namesFile) { f.Addresses[1] = "fe80::1%eth0" },
		`198.18.0.2 twice`:    func(f *namesFile) { f.Addresses[1] = f.Addresses[0] },
		`holds 2000`:          func(f *namesFile) { f.Addresses = many.Addresses },
		`is no duration`:      func(f *namesFile) { f.TTL = "30" },
		`whole seconds`:       func(f *namesFile) { f.TTL = "1500ms" },
		`not "backwards"`:     func(f *namesFile) { f.Order = "backwards" },
		`end in a dot`:        func(f *namesFile) { f.Name = "web.portlab.test" },
		`not "."`:             func(f *namesFile) { f.Name = "." },
		`not "a..b."`:         func(f *namesFile) { f.Name = "a..b." },
	} {
		f := webOf(2)
		change(&f)
		path := filepath.Join(t.TempDir(), "names.json")
		text, err := json.Marshal(f)
		if err := errors.Join(err, os.WriteFile(path, text, 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadNamesConfig(path); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, text := range []string{"", "{}{}", `{"nam":"a."}`} {
		if _, err := parseNamesConfig([]byte(text)); err == nil {
			t.Errorf("%q is a configuration", text)
		}
	}
}

func FuzzNames(f *testing.F) {
	z := zoneOf(f, webOf(40))
	for _, change := range []func(*dnsmessage.Message){nil, withEDNS(1232, 0), withEDNS(1232, 1)} {
		f.Add(asking(f, "web.portlab.test.", dnsmessage.TypeA, change), false)
		f.Add(asking(f, "a.web.portlab.test.", dnsmessage.TypeAAAA, change), true)
	}
	f.Fuzz(func(t *testing.T, message []byte, byTCP bool) {
		answer := z.answer(message, byTCP)
		if answer == nil {
			return
		}
		most := ednsSize
		if byTCP {
			most = streamSize
		}
		m := read(t, answer)
		if len(answer) > most || !m.Response || m.ID != uint16(message[0])<<8|uint16(message[1]) {
			t.Errorf("%x is answered by %s", message, m.GoString())
		}
		if z.answer(answer, byTCP) != nil {
			t.Errorf("its answer to %x is answered", message)
		}
	})
}

// runNames runs a name server until the test ends, and gives a resolver that
// asks it.
func runNames(t *testing.T, f namesFile) (r *net.Resolver, reload func(namesFile)) {
	t.Helper()
	on, err := listen(t.Context(), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, false, true)
	if err != nil {
		t.Fatal(err)
	}
	at := on.addresses()[0].String()
	if err := on.close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "names.json")
	write := func(f namesFile) {
		f.Listen = []string{at}
		text, err := json.Marshal(f)
		if err := errors.Join(err, os.WriteFile(path, text, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(f)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- RunNames(ctx, path, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", at)
		if err == nil {
			t.Cleanup(func() { _ = c.Close() }) // open until the end, which it must not hold up
			break
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
	r = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, at)
	}}
	return r, func(f namesFile) {
		write(f)
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
}

func lookup(t *testing.T, r *net.Resolver) []string {
	t.Helper()
	all, err := r.LookupNetIP(t.Context(), "ip4", "web.portlab.test.")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return texts
}

// A real resolver is answered by UDP and, where that is too short, by TCP; a
// changed file is followed, and one with a mistake is not.
func TestNamesServeAResolver(t *testing.T) {
	r, reload := runNames(t, webOf(2))
	if got := lookup(t, r); !slices.Equal(got, webOf(2).Addresses) {
		t.Errorf("the first answer is %v", got)
	}
	bad := webOf(1)
	bad.TTL = "soon"
	reload(bad)
	reload(webOf(200))
	for until := time.Now().Add(10 * time.Second); len(lookup(t, r)) != 200; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the changed file is not followed")
		}
	}
	reload(bad)
	if _, err := r.LookupNetIP(t.Context(), "ip6", "web.portlab.test."); err == nil {
		t.Error("there are addresses of IPv6")
	}
}
