package kernel

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab/labtest"
)

// TestMain lets the test binary stand for a sidecar's program: what it does is
// named by its first argument.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if act, ok := acts[os.Args[1]]; ok {
			if err := act(os.Args[2:]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	labtest.Main(m)
}

var acts = map[string]func([]string) error{
	"act-listen": func(args []string) error {
		l, err := net.Listen("tcp4", args[0])
		if err != nil {
			return err
		}
		return greet(l, args[1])
	},
	"act-inherit": func(args []string) error {
		l, err := net.FileListener(os.NewFile(3, "socket"))
		if err != nil {
			return err
		}
		return greet(l, args[0])
	},
	"act-status": func(args []string) error {
		if _, err := fmt.Fprintf(os.NewFile(3, "status"), "%s\n", args[0]); err != nil || args[0] != "0" {
			return err
		}
		l, err := net.FileListener(os.NewFile(4, "socket"))
		if err != nil {
			return err
		}
		return greet(l, args[1])
	},
	"act-fail":    func(args []string) error { return fmt.Errorf("cannot go on: %s", args[0]) },
	"act-forgets": func([]string) error { return unix.Exec("/bin/sleep", []string{"sleep", "60"}, nil) },
	"act-stubborn": func([]string) error {
		signal.Ignore(unix.SIGTERM)
		fmt.Println("deaf")
		select {}
	},
}

// greet answers each connection with what the file holds, which it reads at
// the start and again at each SIGHUP.
func greet(l net.Listener, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	conns := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
		}
	}()
	for {
		select {
		case <-hup:
			if text, err = os.ReadFile(file); err != nil {
				return err
			}
		case c := <-conns:
			_, err := c.Write(text)
			if err := errors.Join(err, c.Close()); err != nil {
				return err
			}
		}
	}
}

func requireRoot(t testing.TB) {
	t.Helper()
	labtest.Require(t, "root", os.Geteuid() == 0, "namespaces and packet filters need root")
}

// newNamespace is a namespace of the test's own.
func newNamespace(t testing.TB) *Namespace {
	t.Helper()
	requireRoot(t)
	ns, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	return ns
}
