package servers

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"testing"
)

// FuzzLine: whatever comes, the answer is one line that begins with the ID that
// was asked with, if it could be read, and nothing is done that has no bounds.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		"portlab 1 /\n", "portlab 9223372036854775807 /?delay=0s&body=100", "portlab 1 /?delay=5", "portlab x /", "", "\x00",
		"portlab 1 /?body=\n", "portlab 1 /%0a?body=%0a", "portlab 3 /\r\n", "portlab 2 /?body=1&body=2#x",
	} {
		f.Add([]byte(seed))
	}
	s := &Server{config: Config{Instance: "foo"}, metrics: newMetrics("foo")}
	c := &connection{number: 1, client: netip.MustParseAddrPort("192.0.2.1:1024")}
	f.Fuzz(func(t *testing.T, line []byte) {
		r := parseLine(line)
		if r.work.delay < 0 || r.work.delay > MaxDelay || r.work.body < 0 || r.work.body > MaxBody {
			t.Fatalf("%q asks for %+v", line, r.work)
		}
		if r.bad == nil && !bytes.HasPrefix(line, []byte(linePrefix)) {
			t.Fatalf("%q is taken for a request", line)
		}
		r.work.delay = 0
		var out bytes.Buffer
		if err := s.answer(context.Background(), &out, c, r); err != nil {
			t.Fatal(err)
		}
		text, found := strings.CutSuffix(out.String(), "\n")
		if !found || strings.ContainsAny(text, "\r\n") {
			t.Fatalf("%q is answered by %q, which is not one line", line, out.String())
		}
		_, rest, _ := strings.Cut(text, " ")
		if says := strings.HasPrefix(rest, "error "); says != (r.bad != nil) {
			t.Fatalf("%q is answered by %q, and what is wrong is %v", line, text, r.bad)
		}
	})
}

func TestPeersAreBounded(t *testing.T) {
	n := uint64(0)
	p := newPeers(2, func() uint64 { n++; return n })
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.IPv6Loopback(), port) }
	for i, c := range []struct {
		port uint16
		want uint64
	}{{1, 1}, {2, 2}, {1, 1}, {3, 3}, {1, 1}, {2, 4}, {3, 5}} {
		if got := p.of(at(c.port)); got.number != c.want || got.client != at(c.port) {
			t.Errorf("step %d: client %s is number %d, want %d", i, got.client, got.number, c.want)
		}
	}
	if len(p.by) != 2 || p.recent.Len() != 2 {
		t.Errorf("%d and %d are known, want 2", len(p.by), p.recent.Len())
	}
}
