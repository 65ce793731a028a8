package load

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers/wire"
)

// lineServer answers each line by what reply makes of it, and closes when it is
// asked to.
func lineServer(t testing.TB, reply func(c *net.TCPConn, id, path string) string) netip.AddrPort {
	t.Helper()
	return rawServer(t, func(c *net.TCPConn) {
		for lines := bufio.NewScanner(c); lines.Scan(); {
			var id, path string
			if _, err := fmt.Sscanf(lines.Text(), "portlab %s %s", &id, &path); err != nil {
				t.Errorf("request %q", lines.Text())
			}
			_, _ = io.WriteString(c, reply(c, id, path))
			if strings.HasSuffix(lines.Text(), closeLine) {
				return
			}
		}
	})
}

func identityOf(c *net.TCPConn, name string, request int) string {
	client, _ := netip.ParseAddrPort(c.RemoteAddr().String())
	value, err := wire.Answer{Instance: name, Connection: 1, Request: uint64(request), Client: client, Service: 5}.Encode()
	if err != nil {
		panic(err)
	}
	return value
}

func linePlan(requests, concurrency, perConnection int) lab.Plan {
	p := plan(requests, concurrency)
	p.Protocol, p.PerConnection = lab.TCP, perConnection
	return p
}

func TestLineProtocol(t *testing.T) {
	to := lineServer(t, func(c *net.TCPConn, id, path string) string {
		return id + " " + identityOf(c, "foo", len(path)) + "\n"
	})
	for _, perConnection := range []int{0, 1, 5} {
		p := linePlan(40, 4, perConnection)
		p.Path = "/?delay=0s"
		samples := raw(t, p, to)
		allFaults(t, samples, "")
		connections := map[int]int{}
		for i, s := range samples {
			connections[s.Connection]++
			if perConnection == 1 && s.ClosedFirst != lab.ServerEnd {
				t.Errorf("request %d: closed first by %q, where the server was asked to", i, s.ClosedFirst)
			}
			if s.Instance != "foo" || s.ReplicaSaw != s.Local || s.ReplicaRequest != uint64(len(p.Path)) || s.Status != 0 {
				t.Errorf("sample %+v", s)
			}
		}
		for number, n := range connections {
			if perConnection > 0 && n > perConnection {
				t.Errorf("%d requests on connection %d", n, number)
			}
		}
		if perConnection == 0 && len(connections) > 4 {
			t.Errorf("%d connections of 4 workers", len(connections))
		}
	}
}

func TestLineAnswers(t *testing.T) {
	padded := strings.Repeat("x", 300_000)
	tests := map[string]struct {
		reply    func(c *net.TCPConn, id, path string) string
		change   func(*lab.Plan)
		fault    lab.Fault
		instance string
	}{
		"with a body": {func(c *net.TCPConn, id, _ string) string {
			return id + " " + identityOf(c, "foo", 1) + " " + padded + "\n"
		}, unchanged, "", "foo"},
		"with an empty body": {func(c *net.TCPConn, id, _ string) string { return id + " " + identityOf(c, "foo", 1) + " \n" }, unchanged, "", "foo"},
		"CR LF":              {func(c *net.TCPConn, id, _ string) string { return id + " " + identityOf(c, "foo", 1) + "\r\n" }, unchanged, "", "foo"},
		"an error":           {func(_ *net.TCPConn, id, _ string) string { return id + " error no such path\n" }, unchanged, lab.BadAnswer, ""},
		"of another request": {func(c *net.TCPConn, id, _ string) string { return id + "0 " + identityOf(c, "foo", 1) + "\n" }, unchanged, lab.BadAnswer, ""},
		"an unreadable one":  {func(_ *net.TCPConn, id, _ string) string { return id + " v=99\n" }, unchanged, lab.BadAnswer, ""},
		"of another server":  {func(*net.TCPConn, string, string) string { return "220 mail.example ESMTP\r\n" }, unchanged, "", ""},
		"an echo":            {func(_ *net.TCPConn, id, path string) string { return "portlab " + id + " " + path + "\n" }, unchanged, "", ""},
		"named by a pattern": {func(*net.TCPConn, string, string) string { return "I am web-3\n" },
			func(p *lab.Plan) { p.InstancePattern = `am (\S+)` }, "", "web-3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := linePlan(4, 2, 0)
			test.change(&p)
			samples := raw(t, p, lineServer(t, test.reply))
			allFaults(t, samples, test.fault)
			for _, s := range samples {
				if s.Instance != test.instance {
					t.Errorf("instance %q, want %q", s.Instance, test.instance)
				}
			}
		})
	}
}

func TestLinesThatDoNotEnd(t *testing.T) {
	half := rawServer(t, func(c *net.TCPConn) {
		_, _ = bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "half a line")
	})
	allFaults(t, raw(t, linePlan(3, 1, 1), half), lab.Reset)

	l := &lines{about: newAbout(lab.DefaultPlan())}
	l.reset(1)
	var err error
	piece := []byte(strings.Repeat("x", 1<<20))
	for range maxBodyBytes>>20 + 1 {
		if _, _, err = l.read(piece); err != nil {
			break
		}
	}
	if classify(err, true) != lab.BadAnswer || len(l.head) > lab.InstancePatternBytes {
		t.Errorf("error %v; %d bytes are kept", err, len(l.head))
	}
}

func TestCutID(t *testing.T) {
	tests := map[string]struct {
		id    uint64
		value string
		ok    bool
	}{
		"7 v=1":                     {7, "v=1", true},
		"9223372036854775807 x":     {1<<63 - 1, "x", true},
		"9223372036854775808 x":     {0, "", false},
		"99999999999999999999999 x": {0, "", false},
		" x":                        {0, "", false},
		"7":                         {7, "", false},
		"7x":                        {7, "x", false},
		"":                          {0, "", false},
	}
	for line, want := range tests {
		id, value, ok := cutID([]byte(line))
		if ok != want.ok || ok && (id != want.id || string(value) != want.value) {
			t.Errorf("%q: %d, %q, %v", line, id, value, ok)
		}
	}
}
