package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

var _ lab.Driver = Curl{}

// curl carries a plan out, as offer does for Streams.
func curl(t *testing.T, at lab.Place, p lab.Plan, to ...netip.AddrPort) ([]lab.Sample, lab.Client) {
	t.Helper()
	_, err := exec.LookPath("curl")
	labtest.Require(t, "curl", err == nil, "no curl is installed")
	var samples []lab.Sample
	client, err := Curl{}.Drive(t.Context(), at, p, to, func(s lab.Sample) { samples = append(samples, s) })
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(samples, func(a, b lab.Sample) int { return a.Request - b.Request })
	if len(samples) != p.Requests {
		t.Fatalf("%d samples of %d requests", len(samples), p.Requests)
	}
	return samples, client
}

func TestCurlFillsSamplesIn(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	to := replica(t, "foo", loopback)
	p := plan(12, 3)
	p.Path = "/?delay=5ms&body=100000"
	samples, client := curl(t, Local{}, p, to)
	allFaults(t, samples, "")
	for i, s := range samples {
		if s.Request != i || s.Connection != i || s.Instance != "foo" || s.Status != 200 || s.Target != to || s.ReplicaSaw != s.Local {
			t.Fatalf("sample %+v", s)
		}
		if s.Begun < s.Due || s.Connected < s.Begun || s.FirstByte < s.Connected || s.Done < s.FirstByte || s.Response() < s.Service {
			t.Errorf("phases of %+v", s)
		}
	}
	if client.Driver != "curl" || client.ClosedFirst != 12 {
		t.Errorf("client %+v", client)
	}
}

func TestFaultsOfCurl(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	closed := addressOf(l)
	l.Close()
	const head = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		to     netip.AddrPort
		want   lab.Fault
		status int
	}{
		"refused":           {closed, lab.Refused, 0},
		"no route":          {netip.MustParseAddrPort("255.255.255.255:80"), lab.Unreachable, 0},
		"full queue":        {fullListener(t), lab.ConnectTimeout, 0},
		"no answer":         {rawServer(t, saysAndHolds("")), lab.ReadTimeout, 0},
		"half an answer":    {rawServer(t, saysAndHolds(head+"Content-Length: 9\r\n\r\nfoo")), lab.ReadTimeout, 200},
		"closed":            {rawServer(t, says("")), lab.Reset, 0},
		"reset":             {rawServer(t, resets("")), lab.Reset, 0},
		"cut short":         {rawServer(t, says(head+"Content-Length: 9\r\n\r\nfoo")), lab.Reset, 200},
		"no HTTP":           {rawServer(t, says("SSH-2.0-OpenSSH_9.2\r\n")), lab.BadAnswer, 0},
		"status 503":        {rawServer(t, says("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")), lab.BadAnswer, 503},
		"unreadable header": {rawServer(t, says(head+"Portlab-Answer: v=99\r\nContent-Length: 0\r\n\r\n")), lab.BadAnswer, 200},
		"after early hints": {rawServer(t, says("HTTP/1.1 103 Early Hints\r\n\r\n"+head+"Content-Length: 0\r\n\r\n")), "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			p := plan(1, 1)
			p.Timeout = 300 * time.Millisecond
			samples, _ := curl(t, Local{}, p, c.to)
			allFaults(t, samples, c.want)
			if s := samples[0]; s.Status != c.status || c.want == lab.ReadTimeout && s.Connected == 0 || c.want == lab.ConnectTimeout && s.Connected != 0 {
				t.Errorf("sample %+v", s)
			}
		})
	}
}

func TestCurlAsksAsThePlanSays(t *testing.T) {
	got := make(chan string, 1)
	to := rawServer(t, func(c *net.TCPConn) {
		r, err := readRequest(c)
		if err != nil {
			return
		}
		got <- r.Method + " " + r.RequestURI + " " + r.Host + " " + c.RemoteAddr().(*net.TCPAddr).IP.String()
		fmt.Fprint(c, "HTTP/1.1 103 Early Hints\r\nX-Served-By: nobody\r\n\r\nHTTP/1.1 200 OK\r\nX-Served-By: web-1\r\nContent-Length: 12\r\n\r\nI am pod-2.\n")
	})
	t.Setenv("http_proxy", "http://"+to.String()+"/never")
	p := plan(1, 1)
	p.Path, p.Host, p.Clients = "/a/../b?c=[1-3]&d={x}&e=$(id)", "portlab.test", 1
	for name, c := range map[string]struct{ header, pattern, want string }{
		"header":  {"x-served-by", "", "web-1"},
		"pattern": {"", `I am (\S+)\.`, "pod-2"},
		"neither": {"", "", ""},
	} {
		p.InstanceHeader, p.InstancePattern = c.header, c.pattern
		samples, _ := curl(t, Local{}, p, to)
		allFaults(t, samples, "")
		if want := "GET " + p.Path + " portlab.test 127.0.0.1"; <-got != want {
			t.Errorf("%s: want request %q", name, want)
		}
		if samples[0].Instance != c.want {
			t.Errorf("%s: answered by %q, want %q", name, samples[0].Instance, c.want)
		}
	}
}

func TestCurlFromSeveralAddressesAndByIPv6(t *testing.T) {
	p := plan(6, 1)
	p.Clients = 3
	samples, _ := curl(t, Local{}, p, replica(t, "foo", loopback))
	allFaults(t, samples, "")
	counts := map[netip.Addr]int{}
	for _, s := range samples {
		counts[s.ReplicaSaw.Addr()]++
	}
	if len(counts) != 3 {
		t.Errorf("the replica saw %v, want 3 addresses", counts)
	}
	requireIPv6(t)
	samples, _ = curl(t, Local{}, plan(1, 1), replica(t, "foo", netip.IPv6Loopback()))
	allFaults(t, samples, "")
}

func TestCurlRunsAtThePlace(t *testing.T) {
	samples, _ := curl(t, newNamespace(t), plan(1, 1), replica(t, "outside", loopback))
	allFaults(t, samples, lab.Refused)
}

func TestCancelEndsCurl(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	_, err := exec.LookPath("curl")
	labtest.Require(t, "curl", err == nil, "no curl is installed")
	var asked atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	to := rawServer(t, func(c *net.TCPConn) {
		if _, err := readRequest(c); err != nil {
			return
		}
		if asked.Add(1) == 2 {
			cancel() // both workers hang now
		}
		untilGone(c)
	})
	p := plan(10, 2)
	p.Timeout = time.Hour // only the cancellation can end it
	_, err = Curl{}.Drive(ctx, Local{}, p, []netip.AddrPort{to}, func(s lab.Sample) { t.Errorf("sample %+v", s) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
}

func TestPlansThatCurlCannotCarryOut(t *testing.T) {
	for name, change := range map[string]func(*lab.Plan){
		"HTTP/2":     func(p *lab.Plan) { p.Protocol = lab.HTTP2 },
		"rate":       func(p *lab.Plan) { p.Rate = 10 },
		"duration":   func(p *lab.Plan) { p.Duration = time.Second },
		"keep-alive": func(p *lab.Plan) { p.PerConnection = 0 },
		"warm-up":    func(p *lab.Plan) { p.WarmUp = time.Second },
	} {
		p := plan(1, 1)
		change(&p)
		_, err := Curl{}.Drive(t.Context(), Local{}, p, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")},
			func(lab.Sample) { t.Error("a sample") })
		if _, usage := errors.AsType[*lab.UsageError](err); !usage {
			t.Errorf("%s: %v, want a usage error", name, err)
		}
	}
}

// TestCurlThatIsNotThere: none, one that is too old, and one that is none.
func TestCurlThatIsNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		says        string
		unsupported bool
	}{
		"none":     {"", true},
		"too old":  {"curl 7.69.1 (x86_64-pc-linux-gnu)", true},
		"no curl":  {"hello", false},
		"ancient":  {"curl 6.5", true},
		"no words": {" ", false},
	} {
		dir := t.TempDir()
		if c.says != "" {
			script := "#!/bin/sh\necho '" + c.says + "'\n"
			if err := os.WriteFile(filepath.Join(dir, "curl"), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", dir)
		_, err := Curl{}.Drive(t.Context(), Local{}, plan(1, 1), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")},
			func(lab.Sample) { t.Error("a sample") })
		u, unsupported := errors.AsType[*lab.UnsupportedError](err)
		if err == nil || unsupported != c.unsupported || unsupported && u.Remedy == "" {
			t.Errorf("%s: %v, want it to be unsupported: %v", name, err, c.unsupported)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var all bytes.Buffer
	w := &tailWriter{most: 10}
	for i := range 100 {
		word := strings.Repeat(string(rune('a'+i%26)), i%13)
		all.WriteString(word)
		if _, err := w.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
		want := all.Bytes()[max(0, all.Len()-10):]
		if !bytes.Equal(w.bytes(), want) || len(w.kept) > 20 {
			t.Fatalf("after %d words: %q of %d bytes, want %q", i, w.bytes(), len(w.kept), want)
		}
	}
}
