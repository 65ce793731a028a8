package kernel

import (
	"os"
	"testing"
	"time"

	"github.com/portlab/portlab/lab"
)

func TestStatIsReadBehindAnyCommandName(t *testing.T) {
	text := "42 (a) b (c) S 7 42 41 0 -1 4194304 1 2 3 4 250 50 30 20 20 0 1 0 3416964"
	got, ok := parseStat(text)
	want := stat{parent: 7, session: 41, own: 3 * time.Second, reaped: 500 * time.Millisecond}
	if !ok || got != want {
		t.Errorf("parseStat: %+v, %v; want %+v", got, ok, want)
	}
	for _, bad := range []string{"", "42 (a) S 7", "42 (a) S x 42 41 0 -1 0 1 2 3 4 250 50 30 20 20"} {
		if _, ok := parseStat(bad); ok {
			t.Errorf("parseStat(%q) succeeds", bad)
		}
	}
}

func TestMachineTimeLeavesIdleAndGuestsOut(t *testing.T) {
	busy, stolen, err := parseMachine("cpu  100 20 300 5000 600 7 8 9 50 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if err != nil || busy != 4350*time.Millisecond || stolen != 90*time.Millisecond {
		t.Errorf("busy %v, stolen %v, %v; want 4.35s, 90ms", busy, stolen, err)
	}
	if _, _, err := parseMachine("intr 1 2 3"); err == nil {
		t.Error("a line of something else is taken for processors' time")
	}
}

func TestPSSIsNotItsParts(t *testing.T) {
	kib, ok := parsePSS([]byte("1000-2000 ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss_Dirty: 5 kB\nPss:     231 kB\nPss_Anon: 3 kB\n"))
	if !ok || kib != 231 {
		t.Errorf("parsePSS: %d, %v; want 231", kib, ok)
	}
	if _, ok := parsePSS([]byte("Rss: 900 kB\n")); ok {
		t.Error("a size is found where there is none")
	}
}

func TestDescendantsAndSessionsBelong(t *testing.T) {
	all := table{
		1: {parent: 0, session: 1}, 10: {parent: 1, session: 10}, 11: {parent: 10, session: 10},
		12: {parent: 11, session: 12},                                   // a daemon in a session of its own
		13: {parent: 1, session: 10},                                    // an orphan
		20: {parent: 1, session: 1}, 30: {parent: 31}, 31: {parent: 30}, // numbers used anew
	}
	for pid, want := range map[int]bool{10: true, 11: true, 12: true, 13: true, 20: false, 1: false, 30: false, 99: false} {
		if got := all.belongs(pid, []int{10}); got != want {
			t.Errorf("process %d belongs to process 10: %v, want %v", pid, got, want)
		}
	}
}

// A process in a namespace that burns processor time, and a child of it, are
// charged with at least what they say themselves, and the machine with as much.
func TestUsageOfABusyProcess(t *testing.T) {
	ns := newNamespace(t)
	before, err := UsageOf(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), ns, Command{
		Run: lab.NewRunID(), Path: "/bin/sh",
		// The child burns, and its parent waits for it to be read.
		Args: []string{"-c", `sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo burnt; sleep 60' & wait`},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	for p.Output() == "" {
		time.Sleep(10 * time.Millisecond)
	}
	after, err := UsageOf([]int{p.PID()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if after.Replicas.CPU <= 10*time.Millisecond || after.Replicas.MemoryBytes < uint64(os.Getpagesize()) {
		t.Errorf("200,000 turns of a shell took %v and %d bytes", after.Replicas.CPU, after.Replicas.MemoryBytes)
	}
	if after.Sidecars != (lab.Consumption{}) {
		t.Errorf("no sidecars used %+v", after.Sidecars)
	}
	// Ticks are sampled, so that some may be missed: half of it is not.
	if machine := after.Machine - before.Machine; machine < after.Replicas.CPU/2 {
		t.Errorf("the machine was busy for %v, a process on it for %v", machine, after.Replicas.CPU)
	}
}
