package kernel

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// userTick is the unit in which /proc counts processor time: 1/USER_HZ, which
// is 100 on every architecture that Go has (proc_pid_stat(5), sysconf(3)).
const userTick = time.Second / 100

// UsageOf reads what replicas and sidecars, each given by its first process,
// have used so far, and what the machine was busy with. A process counts with
// all that descend from it or are of its session; one that has ended, with what
// its parent was told of it when it was reaped (proc_pid_stat(5), cutime).
//
// Processor time of processes is exact to a nanosecond. That of the machine
// comes from /proc/stat, which has no finer source: it is counted in ticks of
// 10 ms for each processor, so that little can be said of a load of less than
// a second.
func UsageOf(replicas, sidecars []int) (lab.Usage, error) {
	all, err := processTable()
	if err != nil {
		return lab.Usage{}, err
	}
	u := lab.Usage{Replicas: all.consumption(replicas), Sidecars: all.consumption(sidecars)}
	if u.Self, err = cpuClock(os.Getpid()); err != nil {
		return lab.Usage{}, fmt.Errorf("read this process's processor time: %w", err)
	}
	// Last, so that what the reading takes is this process's own in both.
	u.Machine, u.Stolen, err = machineTime()
	return u, err
}

// PIDs are the first processes of the sidecars that run.
func (s *Sidecars) PIDs() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []int
	for _, p := range s.running {
		all = append(all, p.PID())
	}
	return all
}

// table is the machine's processes by number.
type table map[int]stat

// processTable reads all of them at once: cheaper than to ask each thread of
// each process for its children.
func processTable() (table, error) {
	everyone, err := pids()
	if err != nil {
		return nil, err
	}
	all := make(table, len(everyone))
	for _, pid := range everyone {
		if text, err := os.ReadFile(procFile(pid, "stat")); err == nil { // else it is gone
			if s, ok := parseStat(string(text)); ok {
				all[pid] = s
			}
		}
	}
	return all, nil
}

// consumption is that of processes and all that belongs to them.
func (t table) consumption(roots []int) lab.Consumption {
	var c lab.Consumption
	for pid, s := range t {
		if !t.belongs(pid, roots) {
			continue
		}
		used, err := cpuClock(pid)
		if err != nil {
			used = s.own // it has just ended, or the kernel has no such clocks
		}
		c.CPU += used + s.reaped
		c.MemoryBytes += memoryOf(pid)
	}
	return c
}

// belongs says whether a process is one of some, of the session of one, or
// descends from such.
func (t table) belongs(pid int, roots []int) bool {
	for range len(t) { // numbers used anew while they were read might make a circle
		s, known := t[pid]
		if !known {
			return false
		}
		if slices.Contains(roots, pid) || slices.Contains(roots, s.session) {
			return true
		}
		pid = s.parent
	}
	return false
}

// cpuClock is the processor time of a process, all its threads together, those
// that have ended too: the clock that clock_getcpuclockid(3) gives.
func cpuClock(pid int) (time.Duration, error) {
	const scheduler = 2 // CPUCLOCK_SCHED of the kernel's posix-timers_types.h
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// memoryOf is a process's proportional set size, in bytes, or, where this user
// may not read that, its resident set size (proc_pid_statm(5)), which counts
// shared pages in full.
func memoryOf(pid int) uint64 {
	if text, err := os.ReadFile(procFile(pid, "smaps_rollup")); err == nil {
		if kib, ok := parsePSS(text); ok {
			return kib << 10
		}
	}
	text, err := os.ReadFile(procFile(pid, "statm"))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// machineTime is for how long all processors together were busy, and stolen.
func machineTime() (busy, stolen time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("read what the machine does: %w", err)
	}
	return parseMachine(string(text))
}
