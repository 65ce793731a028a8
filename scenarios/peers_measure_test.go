package scenarios_test

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// measurement is one tool's load, as the tool itself and as the machine tell it.
type measurement struct {
	outcome
	cpu         time.Duration // of all of the tool's processes, from their start to their end
	server      time.Duration // CPU time of the server
	closedFirst float64       // share of the connections in TIME-WAIT whose port is the client's
	others      float64       // CPUs that were busy with none of this
	trouble     string        // why the figures must not be taken as they are; empty: they may
}

// sound says whether the figures may be compared.
func (m measurement) sound() bool { return m.trouble == "" && m.answered > 0 }

// rate is in requests per second.
func (m measurement) rate() float64 { return float64(m.answered) / m.elapsed.Seconds() }

// cpuPerRequest is in seconds.
func (m measurement) cpuPerRequest() float64 { return m.cpu.Seconds() / float64(m.answered) }

// driverPerRequest is the part of that in portlab's process that makes the requests.
func (m measurement) driverPerRequest() float64 {
	return m.result.Client.CPU().Seconds() / float64(m.answered)
}

// measure has a tool offer a load to a fresh server.
func measure(t testing.TB, tool peer, o offer) measurement {
	t.Helper()
	a := newArena(t)
	before := busy(t)
	begun := time.Now()
	out, cpu, err := a.command(o.lasts+20*time.Second, tool.words(o, arenaAddress+"/")...)
	wall := time.Since(begun)
	after := busy(t)
	waiting := a.sockets(t)[tcpTimeWait]
	requests, connections, e := a.served()
	m := measurement{cpu: cpu, server: a.close(t)}
	m.closedFirst = float64(waiting.client) / float64(max(waiting.client+waiting.server, 1))
	m.others = max((after-before-cpu-m.server).Seconds()/wall.Seconds(), 0)
	switch {
	case err != nil:
		m.trouble = fmt.Sprintf("it failed: %v", err)
		return m
	case e != nil:
		m.trouble = e.Error()
		return m
	}
	if m.outcome, err = tool.read(out); err != nil {
		m.trouble = fmt.Sprintf("its output cannot be read: %v", err)
		return m
	}
	m.trouble = m.doubt(o, requests, connections)
	return m
}

// doubt holds what a tool says against what was asked of it and what the
// server counted, which may be somewhat more: a tool does not count what it
// warms up with, or had under way at the end.
func (m measurement) doubt(o offer, requests, connections int) string {
	spare := requests/100 + 2*o.concurrency
	switch {
	case m.failed > 0:
		return fmt.Sprintf("%d of its requests failed", m.failed)
	case m.answered > requests || m.answered < requests-spare:
		return fmt.Sprintf("it counts %d answers, and the server %d", m.answered, requests)
	case !o.keepAlive && connections < requests:
		return fmt.Sprintf("it made %d requests on %d connections, and was to make one on each", requests, connections)
	case o.keepAlive && connections > spare:
		return fmt.Sprintf("it made %d requests on %d connections, and was to keep %d", requests, connections, o.concurrency)
	}
	return ""
}

// userHZ is the unit of /proc/stat on Linux: 1/100 s (proc_stat(5)).
const userHZ = 100

// busy is the time that the CPUs have spent on processes since the machine
// started, this test's own left out.
func busy(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		t.Fatal(err)
	}
	ticks := 0
	for _, f := range strings.Fields(string(stat))[1:4] { // user, nice, system
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatalf("/proc/stat: %v", err)
		}
		ticks += n
	}
	return time.Duration(ticks)*time.Second/userHZ - time.Duration(own.Utime.Nano()+own.Stime.Nano())
}

// circumstances are what a reader must know of the figures.
type circumstances struct {
	at     time.Time
	seed   uint64
	rounds int
	load   string    // average, when it began
	others []float64 // CPUs busy with other things, in each measurement
}

func newCircumstances(seed uint64) *circumstances {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		load = []byte("unknown")
	}
	first, _, _ := strings.Cut(string(load), " ")
	return &circumstances{at: time.Now(), seed: seed, load: first}
}

// noisy is from how many CPUs of other work on a warning is due.
const noisy = 0.1

func (c *circumstances) String() string {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = []byte("unknown")
	}
	s := fmt.Sprintf("%s, %d CPUs, Linux %s, %s; %d rounds of %s for each tool and load, order by seed %d; load average before: %s; "+
		"busy with other things: %.2f CPUs in the median", c.at.Format(time.DateTime), runtime.NumCPU(), strings.TrimSpace(string(kernel)),
		runtime.Version(), c.rounds, measuredFor, c.seed, c.load, median(c.others))
	if median(c.others) > noisy {
		s += "\nWARNING: the machine was not idle: only the ratios mean something, and they less"
	}
	return s
}

// A tool that did not do what it was asked for is found out.
func TestDoubtsOfPeers(t *testing.T) {
	fresh, kept := offer{concurrency: 16}, offer{concurrency: 16, keepAlive: true}
	for _, c := range []struct {
		name                string
		o                   offer
		answered, failed    int // by the tool
		served, connections int // by the server
		doubtful            bool
	}{
		{"as asked", fresh, 10_000, 0, 10_016, 10_016, false},
		{"as asked, kept", kept, 10_000, 0, 10_016, 16, false},
		{"a request failed", fresh, 10_000, 1, 10_016, 10_016, true},
		{"answers that never were", fresh, 10_000, 0, 9_999, 9_999, true},
		{"answers left out", fresh, 9_000, 0, 10_000, 10_000, true},
		{"connections kept", fresh, 10_000, 0, 10_000, 16, true},
		{"connections not kept", kept, 10_000, 0, 10_000, 10_000, true},
	} {
		m := measurement{outcome: outcome{answered: c.answered, failed: c.failed}}
		if got := m.doubt(c.o, c.served, c.connections); (got != "") != c.doubtful {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
