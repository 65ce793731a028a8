package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/labtest"
	"github.com/portlab/portlab/lab/samples"
)

var (
	_ lab.Driver      = Process{}
	_ lab.SourcePlace = standing{}
)

// envBehave has the child of a test behave as it must not.
const envBehave = "LOAD_TEST_BEHAVE"

// TestMain makes this program the child of its own tests.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], []string{"version"}) {
		return // a machine that was given this program tries it
	}
	if !slices.Equal(os.Args[1:], []string{ClientWord}) {
		labtest.Main(m)
	}
	switch os.Getenv(envBehave) {
	case "crash":
		panic("nobody foresaw this")
	case "babble": // what is no sample, and stay, whatever it is told
		fmt.Println("this is not how samples begin")
		time.Sleep(time.Hour)
	case "stay": // and give a sample first
		w := samples.NewWriter(os.Stdout)
		if errors.Join(w.Write(&lab.Sample{}), w.Flush()) == nil {
			time.Sleep(time.Hour)
		}
	case "tell CPUs":
		cpus, _ := usableCPUs()
		panic("bound to " + listOf(cpus))
	}
	if err := Child(context.Background(), os.Stdin, os.Stdout); err != nil {
		panic(err)
	}
}

// process is the driver under test, whose child behaves as told.
func process(behave string) Process {
	return Process{Driver: simpleName, Env: []string{envBehave + "=" + behave}}
}

func TestProcessDrivesFromElsewhere(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	to := goServer(t, "foo")
	seen := map[int]bool{}
	client, err := process("").Drive(t.Context(), Local{}, plan(500, 8), []netip.AddrPort{to}, func(s lab.Sample) {
		seen[s.Request] = true
		if !s.OK() || s.Instance != "foo" || s.Target != to || s.ReplicaSaw != s.Local || s.Done <= s.Due {
			t.Errorf("sample %+v", s)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 500 {
		t.Errorf("samples of %d requests, want 500", len(seen))
	}
	if client.Driver != simpleName || client.CPU() <= 0 || client.CPUs != nil {
		t.Errorf("the client says %+v", client)
	}
}

func TestProcessStandsInThePlace(t *testing.T) {
	n := newNamespace(t)
	nobody := netip.MustParseAddrPort("198.18.0.1:80") // there is no way to it in there
	count := 0
	_, err := process("").Drive(t.Context(), n, plan(3, 1), []netip.AddrPort{nobody}, func(s lab.Sample) {
		count++
		if s.Fault != lab.Unreachable {
			t.Errorf("fault %q, want %q", s.Fault, lab.Unreachable)
		}
	})
	if err != nil || count != 3 {
		t.Errorf("%d samples and error %v", count, err)
	}
}

// TestProcessStartsNothingThatCannotBe has no program that could be started.
func TestProcessStartsNothingThatCannotBe(t *testing.T) {
	open := plan(1, 1)
	open.Rate = 100
	for name, c := range map[string]struct {
		driver string
		plan   lab.Plan
	}{
		"plan":               {simpleName, lab.Plan{}},
		"plan of the driver": {simpleName, open},
		"driver":             {"nonesuch", plan(1, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			d := Process{Driver: c.driver, Path: "/nonexistent"}
			_, err := d.Drive(t.Context(), Local{}, c.plan, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, nil)
			if _, ok := errors.AsType[*lab.UsageError](err); !ok {
				t.Errorf("error %v, want one of usage", err)
			}
		})
	}
}

// TestErrorsSurviveThePipe has one that only the driver in the process notices,
// and each kind by itself.
func TestErrorsSurviveThePipe(t *testing.T) {
	_, err := process("").Drive(t.Context(), Local{}, plan(1, 1), []netip.AddrPort{{}}, nil)
	if _, ok := errors.AsType[*lab.UsageError](err); !ok {
		t.Errorf("error %v, want one of usage", err)
	}
	for _, want := range []error{
		&lab.UsageError{Problem: "no"},
		&lab.UnsupportedError{What: "a", Reason: "b", Remedy: "c"},
		errors.New("other"),
		nil,
	} {
		text, err := json.Marshal(problemOf(want))
		if err != nil {
			t.Fatal(err)
		}
		var p *problem
		if err := json.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		got := p.err(t.Context())
		if fmt.Sprintf("%T %v", got, got) != fmt.Sprintf("%T %v", want, want) {
			t.Errorf("%T %v has become %T %v", want, want, got, got)
		}
	}
}

func TestProcessThatDiesSaysWhy(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	_, err := process("crash").Drive(t.Context(), Local{}, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, nil)
	if err == nil || !strings.Contains(err.Error(), "nobody foresaw this") || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("error %v", err)
	}
}

// silentServer reads requests and never answers.
func silentServer(t *testing.T, asked func()) netip.AddrPort {
	t.Helper()
	return rawServer(t, func(c *net.TCPConn) {
		if _, err := readRequest(c); err == nil {
			asked()
			untilGone(c)
		}
	})
}

func TestProcessEndsWithItsContext(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := plan(1, 1)
	p.Timeout = time.Hour
	_, err := process("").Drive(ctx, Local{}, p, []netip.AddrPort{silentServer(t, cancel)}, func(s lab.Sample) {
		t.Errorf("sample %+v of a request that was cut off", s)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestProcessThatDoesNotEndIsKilled(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	to := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}
	_, err := process("stay").Drive(ctx, Local{}, plan(1, 1), to, func(lab.Sample) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	_, err = process("babble").Drive(t.Context(), Local{}, plan(1, 1), to, nil)
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("error %v, want one of a process that was killed", err)
	}
}

func TestChildEndsWhenNobodyWantsIt(t *testing.T) {
	labtest.NoLeakedGoroutines(t)
	theirs, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	to := silentServer(t, func() { orders.Close() })
	p := plan(1, 1)
	p.Timeout = time.Hour
	if err := json.NewEncoder(orders).Encode(order{Driver: simpleName, Plan: p, Targets: []netip.AddrPort{to}}); err != nil {
		t.Fatal(err)
	}
	if err := Child(t.Context(), theirs, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestCPUsAreTheChildsAlone(t *testing.T) {
	usable, err := usableCPUs()
	if err != nil {
		t.Fatal(err)
	}
	d := process("tell CPUs")
	d.CPUs = usable[len(usable)-1:]
	_, err = d.Drive(t.Context(), Local{}, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, nil)
	if want := "bound to " + listOf(d.CPUs) + "\n"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	d.Env = nil
	client, err := d.Drive(t.Context(), Local{}, plan(1, 1), []netip.AddrPort{goServer(t, "foo")}, func(lab.Sample) {})
	if err != nil || !slices.Equal(client.CPUs, d.CPUs) {
		t.Errorf("the client says CPUs %v and error %v", client.CPUs, err)
	}
	if after, err := usableCPUs(); err != nil || cmp.Diff(usable, after) != "" {
		t.Errorf("this thread may use %v afterwards (%v), and %v before", after, err, usable)
	}
}
