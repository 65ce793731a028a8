package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/servers"
)

// served is the URL of an instrumented server that ends with the test.
func served(t *testing.T, scheme, instance string) string {
	t.Helper()
	protocol := servers.HTTP
	if scheme == "tcp" || scheme == "udp" {
		protocol = servers.Protocol(scheme)
	}
	s, err := servers.Listen(t.Context(), servers.Config{Instance: instance, Protocol: protocol, Hosts: []netip.Addr{fakeAddress}}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Serve(ctx)
	}()
	t.Cleanup(func() { end(); <-ended })
	return scheme + "://" + s.Addresses()[0].String() + "/"
}

// offered carries out portlab load with these arguments, and demands an exit
// status.
func offered(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
	if got := a.run(t.Context(), append([]string{"load"}, args...)); got != want {
		t.Errorf("exit status %d, want %d: %s", got, want, errs.String())
	}
	return out.String(), errs.String()
}

// measured is what portlab load measures with these arguments.
func measured(t *testing.T, args ...string) lab.Result {
	t.Helper()
	text, _ := offered(t, statusMeasured, append(args, "--out", "none", "-q", "--format", "json")...)
	var res lab.Result
	if err := json.Unmarshal([]byte(text), &res); err != nil {
		t.Fatal(err)
	}
	return res
}

func TestLoadSaysWhoAnsweredAndWritesAReport(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("../../docs/result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	foo, bar := served(t, "http", "foo"), served(t, "http", "bar")
	text, said := offered(t, statusMeasured, foo, bar, "--requests", "200", "--concurrency", "4", "--format", "json")
	var res lab.Result
	if err := json.Unmarshal([]byte(text), &res); err != nil {
		t.Fatal(err)
	}
	object, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(object); err != nil {
		t.Error(err)
	}
	var names []string
	for _, in := range res.Instances {
		names = append(names, in.Name)
		if in.Connections == 0 || in.Expected != 0.5 {
			t.Errorf("%+v", in)
		}
	}
	if diff := cmp.Diff([]string{"bar", "foo"}, names); diff != "" {
		t.Error(diff)
	}
	if res.Requests != 200 || res.Vantage != lab.Localhost || res.Client.CPU() == 0 || res.Runtime != lab.NoRuntime {
		t.Errorf("the result is %+v", res)
	}
	if !strings.Contains(strings.Join(res.Caveats, " "), "--instances") {
		t.Errorf("no caveat says that a silent instance is not known: %q", res.Caveats)
	}
	if !strings.Contains(said, "report: portlab-results/") {
		t.Errorf("no word of the report: %s", said)
	}
	var again bytes.Buffer
	a := &app{stdout: &again, stderr: io.Discard, getenv: func(string) string { return "" }}
	if status := a.run(t.Context(), []string{"report", "portlab-results/latest", "--format", "json"}); status != statusMeasured {
		t.Errorf("the report cannot be made again: exit status %d", status)
	}
	if diff := cmp.Diff(text, again.String()); diff != "" {
		t.Error(diff)
	}
}

func TestLoadSpeaksWhatTheURLSays(t *testing.T) {
	for scheme, want := range map[string]lab.Protocol{"http": lab.HTTP1, "h2c": lab.HTTP2, "ws": lab.WebSocket} {
		t.Run(scheme, func(t *testing.T) {
			res := measured(t, served(t, scheme, "foo"), "--requests", "20", "--keep-alive", "--claim", "no loss")
			if res.Plan.Protocol != want || res.Requests != 20 || res.Connections != 1 {
				t.Errorf("%d requests on %d connections of %s, want 20 on 1 of %s", res.Requests, res.Connections, res.Plan.Protocol, want)
			}
		})
	}
}

// TestLoadOfLines calls the server by a name, for which lines have no header.
func TestLoadOfLines(t *testing.T) {
	for _, protocol := range []lab.Protocol{lab.TCP, lab.UDP} {
		t.Run(string(protocol), func(t *testing.T) {
			url := served(t, string(protocol), "foo")
			url = strings.Replace(url, "127.0.0.1", "localhost", 1)
			res := measured(t, url, "--ip", "4", "--requests", "20", "--claim", "no loss")
			if len(res.Instances) != 1 || res.Instances[0].Requests != 20 || res.Plan.Protocol != protocol {
				t.Errorf("%s: %+v", res.Plan.Protocol, res.Instances)
			}
		})
	}
}

func TestAnInstanceThatIsNamedAndSilentIsAZero(t *testing.T) {
	url := served(t, "http", "foo")
	args := []string{url, "--requests", "100", "--out", "none", "-q", "--claim", "every instance answers"}
	offered(t, statusMeasured, args...)
	text, said := offered(t, statusRefuted, append(args, "--instances", "foo,bar")...)
	if !strings.Contains(text, "starved: bar got none of 100 connections") || !strings.Contains(said, "refuted: every instance answers") {
		t.Errorf("%s%s", text, said)
	}
}

func TestInstancesAreNamedByAHeaderOrTheBody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", "web1")
		_, _ = io.WriteString(w, "I am web2, asked for "+r.Host+r.URL.String())
	}))
	t.Cleanup(s.Close)
	for want, args := range map[string][]string{
		"web1":             {"--instance-header", "x-served-by"},
		"web2":             {"--instance-pattern", `I am (\w+)`},
		"example.test/a?b": {"--instance-pattern", `asked for (.*)`, "--host", "example.test"},
	} {
		res := measured(t, append(args, s.URL+"/a?b", "--requests", "10")...)
		if len(res.Instances) != 1 || res.Instances[0].Name != want || res.Instances[0].Requests != 10 {
			t.Errorf("instances %+v, want 10 requests of %s", res.Instances, want)
		}
	}
}

func TestWhatFailsIsMeasured(t *testing.T) {
	text, _ := offered(t, statusMeasured, "http://127.0.0.1:1/", "--requests", "10", "--out", "none", "-q")
	if !strings.Contains(text, "lost: 10 of 10 requests failed (100%): 10 refused") {
		t.Error(text)
	}
}

func TestAnInterruptedLoadLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel(interrupt{syscall.SIGINT})
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }}
	if got := a.run(ctx, []string{"load", s.URL, "--timeout", "1h"}); got != statusInterrupted {
		t.Errorf("exit status %d, want %d", got, statusInterrupted)
	}
	if stdout.Len() > 0 || !strings.HasSuffix(stderr.String(), "portlab: interrupted by SIGINT\n") {
		t.Errorf("it says %q and %q", stdout.String(), stderr.String())
	}
	if _, err := os.Stat(resultsDir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a folder of results (%v)", err)
	}
}

func TestDestinations(t *testing.T) {
	v4, v6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")
	for _, c := range []struct {
		urls    []string
		names   []string
		want    destination
		vantage lab.Vantage
	}{
		{
			[]string{"http://127.0.0.1"},
			[]string{"http://127.0.0.1"},
			destination{protocol: lab.HTTP1, path: "/", targets: []netip.AddrPort{netip.AddrPortFrom(v4, 80)}}, lab.Localhost,
		},
		{
			[]string{"h2c://[::1]:8080/a?b=c#d", "h2c://[::1]:8081/a?b=c"},
			[]string{"h2c://[::1]:8080/a?b=c#d", "h2c://[::1]:8081/a?b=c"},
			destination{protocol: lab.HTTP2, path: "/a?b=c", targets: []netip.AddrPort{netip.AddrPortFrom(v6, 8080), netip.AddrPortFrom(v6, 8081)}}, lab.Localhost,
		},
		{
			[]string{"udp://192.0.2.1:53"},
			[]string{"udp://192.0.2.1:53"},
			destination{protocol: lab.UDP, path: "/", targets: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:53")}}, lab.External,
		},
		{
			[]string{"http://localhost:8080"},
			[]string{"http://localhost:8080 at 127.0.0.1:8080"},
			destination{protocol: lab.HTTP1, path: "/", host: "localhost:8080", targets: []netip.AddrPort{netip.AddrPortFrom(v4, 8080)}}, lab.Localhost,
		},
		{
			[]string{"http://localhost:8080", "http://127.0.0.1:8081"},
			[]string{"http://localhost:8080 at 127.0.0.1:8080", "http://127.0.0.1:8081"},
			destination{protocol: lab.HTTP1, path: "/", targets: []netip.AddrPort{netip.AddrPortFrom(v4, 8080), netip.AddrPortFrom(v4, 8081)}}, lab.Localhost,
		},
	} {
		ip := familyOf(c.want.targets[0].Addr())
		got, err := findDestination(t.Context(), c.urls, ip)
		if err != nil {
			t.Error(err)
			continue
		}
		c.want.names = c.names
		if diff := cmp.Diff(&c.want, got, cmp.AllowUnexported(destination{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Error(diff)
		}
		if v := got.vantage(); v != c.vantage {
			t.Errorf("vantage %s of %s, want %s", v, got, c.vantage)
		}
	}
}
