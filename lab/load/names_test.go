package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers"
	"github.com/portlab/portlab/servers/wire"
)

// nameAt runs a name server until the test ends: web.portlab.test has these
// addresses, in turn.
func nameAt(t *testing.T, addresses ...string) netip.AddrPort {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	at := addressOf(l)
	l.Close()
	text, err := json.Marshal(map[string]any{
		"listen": []string{at.String()}, "name": "web.portlab.test.", "ttl": "30s", "order": "rotate", "addresses": addresses,
	})
	path := filepath.Join(t.TempDir(), "names.json")
	if err := errors.Join(err, os.WriteFile(path, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- servers.RunNames(ctx, path, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", at.String())
		if err == nil {
			c.Close()
			return at
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

// fleet is replicas on one port of several addresses of the loopback link, each
// named by its address. What it returns ends one.
func fleet(t *testing.T, addresses ...string) (targets []netip.AddrPort, end func(i int)) {
	t.Helper()
	var all []*http.Server
	port := "0"
	for _, a := range addresses {
		l := listen(t, net.JoinHostPort(a, port))
		_, port, _ = net.SplitHostPort(l.Addr().String())
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Host != "web.portlab.test:"+port {
				t.Errorf("the request names %s", r.Host)
			}
			client, _ := netip.ParseAddrPort(r.RemoteAddr)
			value, err := wire.Answer{Instance: a, Connection: 1, Request: 1, Client: client}.Encode()
			if err != nil {
				t.Error(err)
			}
			w.Header().Set(wire.Header, value)
			fmt.Fprintln(w, "Hello from", a)
		})}
		var serving sync.WaitGroup
		serving.Go(func() { _ = s.Serve(l) })
		t.Cleanup(func() { s.Close(); serving.Wait() })
		all, targets = append(all, s), append(targets, addressOf(l))
	}
	return targets, func(i int) { all[i].Close() }
}

func namedPlan(client lab.NameClient, server netip.AddrPort, requests, concurrency int) lab.Plan {
	p := plan(requests, concurrency)
	p.Lookup = lab.Lookup{Client: client, Name: "web.portlab.test", Server: server}
	return p
}

// answeredBy says how many requests each instance answered.
func answeredBy(samples []lab.Sample) map[string]int {
	all := map[string]int{}
	for _, s := range samples {
		all[s.Instance]++
	}
	return all
}

var three = []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"}

func TestNamesGoAsksForEachConnection(t *testing.T) {
	to, end := fleet(t, three...)
	server := nameAt(t, three...)
	samples := drive(t, namedPlan(lab.GoClient, server, 30, 1), to...)
	allFaults(t, samples, "")
	for i, s := range samples {
		if s.Instance != three[i%3] || s.Target != to[i%3] || s.ReplicaSaw != s.Local || s.Begun < s.Due || s.Connected <= s.Begun {
			t.Fatalf("sample %+v", s)
		}
	}
	// One that is gone is passed over: the next address is dialled.
	end(1)
	samples = drive(t, namedPlan(lab.GoClient, server, 30, 1), to...)
	allFaults(t, samples, "")
	if got := answeredBy(samples); got[three[0]] != 10 || got[three[2]] != 20 {
		t.Errorf("without the second one: %v", got)
	}
}

func TestNamesCachedAsksOnce(t *testing.T) {
	to, end := fleet(t, three...)
	server := nameAt(t, three...)
	for _, concurrency := range []int{1, 8} {
		samples := drive(t, namedPlan(lab.CachedClient, server, 40, concurrency), to...)
		allFaults(t, samples, "")
		if got := answeredBy(samples); len(got) != 1 {
			t.Errorf("%d at a time: %v, want one replica alone", concurrency, got)
		}
	}
	// The third client is given the third address first, and then the first.
	end(2)
	samples := drive(t, namedPlan(lab.CachedClient, server, 40, 1), to...)
	allFaults(t, samples, "")
	if got := answeredBy(samples); got[three[0]] != 40 {
		t.Errorf("without the third one: %v, want all at the first", got)
	}
}

func TestNamesFaults(t *testing.T) {
	to, end := fleet(t, three[:1]...)
	for _, client := range []lab.NameClient{lab.GoClient, lab.CachedClient} {
		none := drive(t, namedPlan(client, nameAt(t), 2, 1), to...)
		allFaults(t, none, lab.Other)
		if !strings.Contains(none[0].Detail, "no such host") || none[0].Target.IsValid() {
			t.Errorf("%s, a name without an address: %+v", client, none[0])
		}
	}
	end(0)
	refused := drive(t, namedPlan(lab.GoClient, nameAt(t, three[0]), 2, 1), to...)
	allFaults(t, refused, lab.Refused)
	if refused[0].Target != to[0] {
		t.Errorf("%+v, want the target that refused", refused[0])
	}
	for _, client := range []lab.NameClient{lab.GoClient, lab.CachedClient} {
		u, err := net.ListenPacket("udp", "127.0.0.1:0") // it never answers
		if err != nil {
			t.Fatal(err)
		}
		server := u.LocalAddr().(*net.UDPAddr).AddrPort()
		p := namedPlan(client, server, 1, 1)
		p.Timeout = 100 * time.Millisecond
		allFaults(t, drive(t, p, to...), lab.ConnectTimeout)
		u.Close()
		gone := drive(t, p, to...)
		allFaults(t, gone, lab.Other)
		if !strings.Contains(gone[0].Detail, "on "+server.String()) {
			t.Errorf("%s, without a name server: %s", client, gone[0].Detail)
		}
	}
}

// Each driver leaves to the others what it cannot do.
func TestNamesChooseADriver(t *testing.T) {
	for client, want := range map[lab.NameClient]string{
		lab.GoClient: simpleName, lab.CachedClient: simpleName, lab.GlibcClient: simpleName, lab.CurlClient: curlName, "": rawName,
	} {
		p := namedPlan(client, netip.AddrPort{}, 1, 1)
		if got, err := Choose(t.Context(), Auto, p); got != want || err != nil && !errors.Is(err, lab.ErrUnsupported) {
			t.Errorf("%s: %q, %v; want %q", client, got, err, want)
		}
		for _, d := range []string{rawName, curlName, simpleName} {
			_, err := Choose(t.Context(), d, p)
			if _, usage := errors.AsType[*lab.UsageError](err); client != "" && usage == (d == want) {
				t.Errorf("%s by %s: %v", client, d, err)
			}
		}
	}
	_, err := Simple{}.Drive(t.Context(), Local{}, namedPlan("java", netip.AddrPort{}, 1, 1), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, nil)
	if _, usage := errors.AsType[*lab.UsageError](err); !usage {
		t.Errorf("a client that is not known: %v", err)
	}
}

func TestParseAhosts(t *testing.T) {
	got, err := parseAhosts("198.18.0.3     STREAM web.portlab.test\n198.18.0.3     DGRAM  \n198.18.0.3     RAW    \n2001:2::1       STREAM \n")
	if want := []netip.Addr{netip.MustParseAddr("198.18.0.3"), netip.MustParseAddr("2001:2::1")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "198.18.0.3 DGRAM\n", "web STREAM\n"} {
		if got, err := parseAhosts(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
