package kernel

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
)

// here is the inode of the network namespace of the thread that calls it.
func here(t testing.TB, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

func TestOwnNamespaceIsWhereTheCallerIs(t *testing.T) {
	own, err := Own()
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	if got, want := own.Inode(), here(t, "/proc/self/ns/net"); got != want {
		t.Errorf("own namespace is %d, not %d", got, want)
	}
	if own.Shell() != "" {
		t.Errorf("commands of one's own namespace need no prefix, not %q", own.Shell())
	}
	failure := errors.New("failure")
	if err := own.Do(t.Context(), func() error { return failure }); !errors.Is(err, failure) {
		t.Errorf("Do returned %v", err)
	}
}

func TestOfProcessFindsOneself(t *testing.T) {
	ns, err := OfProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	if ns.Inode() != here(t, "/proc/self/ns/net") {
		t.Error("the namespace of this process is not its own")
	}
}

func TestDoRunsManyInsideAndLeavesThreadsAsTheyWere(t *testing.T) {
	ns := newNamespace(t)
	labtest.NoLeakedGoroutines(t)
	const callers = 16
	var inside, wg sync.WaitGroup
	inside.Add(callers) // all must be inside at one time
	for range callers {
		wg.Go(func() {
			err := ns.Do(t.Context(), func() error {
				inside.Done()
				inside.Wait()
				if here(t, "/proc/thread-self/ns/net") != ns.Inode() {
					t.Error("f does not run inside")
				}
				if unix.Gettid() == unix.Getpid() {
					t.Error("f runs on the main thread")
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	home := here(t, "/proc/self/ns/net")
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if got := here(t, "/proc/self/task/"+task.Name()+"/ns/net"); got != home {
			t.Errorf("thread %s stayed in namespace %d", task.Name(), got)
		}
	}
}

func TestDoDoesNotPileUpThreads(t *testing.T) {
	ns := newNamespace(t)
	count := func() int {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(tasks)
	}
	before := count()
	for range 500 {
		if err := ns.Do(t.Context(), func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after > before+runtime.GOMAXPROCS(0)+8 {
		t.Errorf("%d threads after 500 calls, %d before", after, before)
	}
}

func TestDoSurvivesGoexitAndRefusesAnEndedContext(t *testing.T) {
	ns := newNamespace(t)
	if err := ns.Do(t.Context(), func() error { runtime.Goexit(); return nil }); !errors.Is(err, errGoexit) {
		t.Errorf("Do returned %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := ns.Do(ctx, func() error { t.Error("f ran"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Do returned %v", err)
	}
}

func TestVethLinksTwoNamespaces(t *testing.T) {
	for _, c := range []struct{ name, host, peer string }{
		{"IPv4", "198.19.0.1/24", "198.19.0.2/24"},
		{"IPv6", "fd00:19::1/64", "fd00:19::2/64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			host, peer := newNamespace(t), newNamespace(t)
			run := lab.NewRunID()
			a := End{In: host, Name: run.Link("h"), Address: netip.MustParsePrefix(c.host)}
			b := End{In: peer, Name: run.Link("c"), Address: netip.MustParsePrefix(c.peer), Gateway: a.Address.Addr()}
			if err := CreateVeth(t.Context(), run, a, b); err != nil {
				t.Fatal(err)
			}
			before, err := PassiveOpens(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			connect(t, host, peer, netip.AddrPortFrom(a.Address.Addr(), 8080))
			after, err := PassiveOpens(t.Context(), host)
			if err != nil {
				t.Fatal(err)
			}
			if after-before != 1 {
				t.Errorf("one connection, and %d passive opens", after-before)
			}
			if err := CreateVeth(t.Context(), run, a, b); !errors.Is(err, unix.EEXIST) {
				t.Errorf("a second link of one name: %v", err)
			}
			for range 2 {
				if err := DeleteLink(t.Context(), host, a.Name); err != nil {
					t.Fatal(err)
				}
			}
			if names := linkNames(t, host); len(names) != 1 || names[0] != "lo" {
				t.Errorf("left: %v", names)
			}
		})
	}
}

func connect(t *testing.T, server, client *Namespace, to netip.AddrPort) {
	t.Helper()
	var l net.Listener
	err := server.Do(t.Context(), func() (err error) {
		l, err = net.Listen("tcp", to.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = client.Do(t.Context(), func() error {
		c, err := net.Dial("tcp", to.String())
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

func linkNames(t *testing.T, ns *Namespace) []string {
	t.Helper()
	var names []string
	err := ns.Do(t.Context(), func() error {
		links, err := net.Interfaces()
		for _, l := range links {
			names = append(names, l.Name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
