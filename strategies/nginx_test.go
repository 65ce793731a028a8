package strategies

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// The real nginx takes the configuration, spreads in turn by weight over both
// of its workers, and follows a reload.
func TestNginxTakesTurns(t *testing.T) {
	for loopback, p := range map[string]place{"127.0.0.1": onEngine("aaaaaa"), "::1": bare6("aaaaaa")} {
		t.Run(loopback, func(t *testing.T) { nginxTakesTurns(t, p, loopback) })
	}
}

func nginxTakesTurns(t *testing.T, p place, loopback string) {
	path := present(t, "nginx")
	p.facts.SidecarListen = []netip.AddrPort{freePort(t, loopback)}
	var to []lab.Replica
	for i := range 3 {
		name := lab.InstanceName(i)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := fmt.Fprint(w, name, " ", r.Header.Get("X-Forwarded-For")); err != nil {
				t.Error(err)
			}
		}))
		if err := s.Listener.Close(); err != nil {
			t.Fatal(err)
		}
		s.Listener = listener(t, loopback)
		s.Start()
		t.Cleanup(s.Close)
		to = append(to, lab.Replica{Instance: name, Weight: 1, Address: netip.MustParseAddrPort(s.Listener.Addr().String())})
	}
	dir := t.TempDir()
	s := sidecar(t, p, nginx{}, to)
	write(t, dir, s)
	var args []string
	for _, a := range s.Args {
		args = append(args, strings.ReplaceAll(a, lab.SidecarDir, dir))
	}
	process := started(t, dir, path, args...)
	front := "http://" + p.facts.SidecarListen[0].String()
	await(t, func() bool { return ask(front) != "" })

	if got := tally(t, front, 30); !slices.Equal(got, []int{10, 10, 10}) {
		t.Errorf("30 connections went %v, want 10 to each", got)
	}
	if got := ask(front); !strings.HasSuffix(got, " "+loopback) {
		t.Errorf("the answer was %q, want the client's address in it", got)
	}
	to[0].Weight, to[1].Weight = 3, 1
	write(t, dir, sidecar(t, p, nginx{}, to[:2]))
	old := children(t, process.Pid)
	if err := process.Signal(s.ReloadSignal); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { // the old workers answer until they end
		now := children(t, process.Pid)
		return len(now) == 2 && !slices.ContainsFunc(now, func(pid string) bool { return slices.Contains(old, pid) })
	})
	if got := tally(t, front, 40); !slices.Equal(got, []int{30, 10, 0}) {
		t.Errorf("40 connections went %v, want 30 and 10", got)
	}
}

// write gives a sidecar its files in a folder.
func write(t *testing.T, dir string, s lab.Sidecar) {
	t.Helper()
	for name, text := range s.Files {
		text = strings.ReplaceAll(text, lab.SidecarDir, dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// children are the processes that a process has started (proc(5)).
func children(t *testing.T, pid int) []string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

func listener(t *testing.T, loopback string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	labtest.Require(t, loopback, err == nil, fmt.Sprint(err))
	return l
}

func freePort(t *testing.T, loopback string) netip.AddrPort {
	t.Helper()
	l := listener(t, loopback)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// ask gives the answer to one request on a connection of its own; empty
// without one.
func ask(url string) string {
	return askBy(&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}, url)
}

// askBy is ask on the client's own connections.
func askBy(client *http.Client, url string) string {
	res, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

func nameOf(answer string) string {
	name, _, _ := strings.Cut(answer, " ")
	return name
}

// tally counts n answers by who gave them: foo, bar, baz.
func tally(t *testing.T, url string, n int) []int {
	t.Helper()
	c := make([]int, 3)
	for range n {
		name := nameOf(ask(url))
		i := slices.Index([]string{"foo", "bar", "baz"}, name)
		if i < 0 {
			t.Fatalf("answered by %q", name)
		}
		c[i]++
	}
	return c
}

// await waits until a process has done what it was told to.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen in time")
}
