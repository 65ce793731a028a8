package kernel

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

var addr = netip.MustParseAddrPort("127.0.0.1:8080")

// newSidecars are sidecars whose portlab is this test binary, and their leaks are looked for.
func newSidecars(t *testing.T) *Sidecars {
	t.Helper()
	run := lab.NewRunID()
	s := NewSidecars(newNamespace(t), run, "")
	t.Cleanup(func() {
		root, err := lab.RuntimeDir()
		no(t, err)
		if _, err := os.Stat(filepath.Join(root, string(run))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the run's folder is left: %v", err)
		}
		if all := tracesOf(t, s.ns, run); len(all) != 0 {
			t.Errorf("left: %v", all)
		}
	})
	return s
}

func tracesOf(t *testing.T, ns *Namespace, run lab.RunID) []lab.Trace {
	t.Helper()
	found, err := Traces(ns)(context.WithoutCancel(t.Context()))
	no(t, err)
	var its []lab.Trace
	for _, trace := range found {
		if trace.Run == run {
			its = append(its, trace)
		}
	}
	return its
}

// ask is what the sidecar answers a connection with.
func ask(t *testing.T, ns *Namespace) string {
	t.Helper()
	var text []byte
	no(t, ns.Do(t.Context(), func() error {
		c, err := net.DialTimeout("tcp4", addr.String(), 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		text, err = io.ReadAll(c)
		return err
	}))
	return string(text)
}

func stopped(t *testing.T, s *Sidecars, name string) {
	t.Helper()
	no(t, s.Stop(context.WithoutCancel(t.Context()), name))
}

func greeter(text string) lab.Sidecar {
	return lab.Sidecar{
		Name: "greeter", Program: "portlab", Args: []string{"act-listen", addr.String(), lab.SidecarDir + "/greeting"},
		Files: map[string]string{"greeting": text}, ReloadSignal: unix.SIGHUP,
	}
}

func TestSidecarListensReloadsAndStops(t *testing.T) {
	s := newSidecars(t)
	no(t, s.Start(t.Context(), greeter("one")))
	if got := ask(t, s.ns); got != "one" {
		t.Errorf("answered %q", got)
	}
	if err := s.Start(t.Context(), greeter("one")); err == nil {
		t.Error("two sidecars of one name were started")
	}
	pid := s.running["greeter"].PID()
	no(t, s.Reload(t.Context(), greeter("two")))
	for deadline := time.Now().Add(10 * time.Second); ask(t, s.ns) != "two"; { // a signal has no answer
		if time.Now().After(deadline) {
			t.Fatal("the new file was not read")
		}
	}
	if s.running["greeter"].PID() != pid {
		t.Error("it was restarted although it has a signal to reload")
	}
	restarted := greeter("three")
	restarted.ReloadSignal = 0
	no(t, s.Reload(t.Context(), restarted))
	if got := ask(t, s.ns); got != "three" {
		t.Errorf("answered %q", got)
	}
	for range 2 {
		no(t, s.Stop(t.Context(), "greeter"))
	}
	if err := s.Reload(t.Context(), greeter("four")); err == nil {
		t.Error("what does not run was reloaded")
	}
}

func TestSidecarInheritsSocketsAndReportsStatus(t *testing.T) {
	s := newSidecars(t)
	c := greeter("hello")
	c.Sockets = []lab.Socket{{Address: addr}}
	c.Args = []string{"act-inherit", lab.SidecarDir + "/greeting"}
	no(t, s.Start(t.Context(), c))
	if got := ask(t, s.ns); got != "hello" {
		t.Errorf("answered %q", got)
	}
	no(t, s.Stop(t.Context(), c.Name))

	c.Status, c.Args = true, []string{"act-status", "0", lab.SidecarDir + "/greeting"}
	no(t, s.Start(t.Context(), c))
	if got := ask(t, s.ns); got != "hello" {
		t.Errorf("answered %q", got)
	}
	no(t, s.Stop(t.Context(), c.Name))

	c.Args = []string{"act-status", "1\nno such container"}
	if err := s.Start(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no such container") {
		t.Errorf("a bad status became %v", err)
	}
}

func TestReusePortLetsTwoSidecarsShareAPort(t *testing.T) {
	s := newSidecars(t)
	for _, name := range []string{"one", "two"} {
		c := greeter(name)
		c.Name, c.Args = name, []string{"act-inherit", lab.SidecarDir + "/greeting"}
		c.Sockets = []lab.Socket{{Address: addr, ReusePort: true}}
		no(t, s.Start(t.Context(), c))
		t.Cleanup(func() { stopped(t, s, name) })
	}
	seen := map[string]bool{}
	for range 64 { // all alike: a chance of 2^-63
		seen[ask(t, s.ns)] = true
	}
	if len(seen) != 2 {
		t.Errorf("answers only from %v", seen)
	}
}

func TestPortInUseIsARefusalThatSaysByWhom(t *testing.T) {
	s := newSidecars(t)
	no(t, s.Start(t.Context(), greeter("first")))
	t.Cleanup(func() { stopped(t, s, "greeter") })
	second := greeter("second")
	second.Name = "second"
	inherits := second
	inherits.Sockets = []lab.Socket{{Address: addr}}
	for how, c := range map[string]lab.Sidecar{"its own socket": second, "an inherited one": inherits} {
		err := s.Start(t.Context(), c)
		if _, ok := errors.AsType[*lab.RefusedError](err); !ok {
			t.Fatalf("%s: %v", how, err)
		}
		if !strings.Contains(err.Error(), "act-listen") || !strings.Contains(err.Error(), "8080") {
			t.Errorf("%s: neither by whom nor which: %v", how, err)
		}
	}
}

func TestSidecarThatCannotStartShowsItsLog(t *testing.T) {
	s := newSidecars(t)
	err := s.Start(t.Context(), lab.Sidecar{Name: "bad", Program: "portlab", Args: []string{"act-fail", "the moon is full"}})
	if err == nil || !strings.Contains(err.Error(), "the moon is full") {
		t.Errorf("its log is not shown: %v", err)
	}
	err = s.Start(t.Context(), lab.Sidecar{Name: "none", Program: "no-such-program"})
	if !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("a missing program became %v", err)
	}
	var usage *lab.UsageError
	if err := s.Start(t.Context(), lab.Sidecar{Name: "../up", Program: "portlab"}); !errors.As(err, &usage) {
		t.Errorf("a name that leaves the folder became %v", err)
	}
}

func TestStopKillsADeafProcessWhenTheContextEnds(t *testing.T) {
	ns := newNamespace(t)
	p, err := Start(t.Context(), ns, Command{Run: lab.NewRunID(), Path: "/proc/self/exe", Args: []string{"act-stubborn"}})
	no(t, err)
	for deadline := time.Now().Add(10 * time.Second); p.Output() != "deaf"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not ignore SIGTERM")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	no(t, p.Stop(ctx))
	if !strings.Contains(p.Err().Error(), "killed") {
		t.Errorf("it ended otherwise: %v", p.Err())
	}
	no(t, p.Stop(t.Context()))
}

func TestProcessesOfARunAreFoundByEnvironmentAndByFolder(t *testing.T) {
	for how, act := range map[string][]string{"environment": {"act-stubborn"}, "folder": {"act-forgets"}} {
		t.Run(how, func(t *testing.T) {
			ns, run := newNamespace(t), lab.NewRunID()
			dir, err := WriteFiles(run, lab.Sidecar{Name: "x"})
			no(t, err)
			p, err := Start(t.Context(), ns, Command{Run: run, Path: "/proc/self/exe", Args: act, Dir: dir})
			no(t, err)
			if how == "folder" { // until the program has put another in its place
				for environOf(p.PID())[envRun] != "" {
					time.Sleep(time.Millisecond)
				}
			}
			if _, ok := (mark{home: "elsewhere", root: "/elsewhere"}).run(p.PID()); ok {
				t.Error("another home takes it for its own")
			}
			for _, trace := range tracesOf(t, ns, run) {
				no(t, trace.Remove(t.Context()))
				no(t, trace.Remove(t.Context()))
			}
			<-p.Done()
			if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != unix.SIGKILL {
				t.Errorf("it ended with %v", status)
			}
			if left := tracesOf(t, ns, run); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}
