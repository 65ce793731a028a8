package load

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// maxCPUs is how many CPUs a unix.CPUSet can name (CPU_SET(3)).
const maxCPUs = 1024

// ParseCPUs reads a list of CPUs such as 0,2-3, as cpuset(7) has it, and
// returns them in order; none for an empty list. It returns a lab.UsageError
// for what is no list, and for a CPU that this process may not use.
func ParseCPUs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	usable, err := usableCPUs()
	if err != nil {
		return nil, err
	}
	var all []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, err := cpuRange(part)
		if err != nil {
			return nil, lab.Usagef("the CPUs must be a list such as 0,2-3, not %q", list)
		}
		for cpu := first; cpu <= last; cpu++ {
			if !slices.Contains(usable, cpu) {
				return nil, lab.Usagef("CPU %d is none that this process may use: those are %s", cpu, listOf(usable))
			}
			all = append(all, cpu)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// usableCPUs are those that this thread may use.
func usableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var all []int
	for cpu := range maxCPUs {
		if set.IsSet(cpu) {
			all = append(all, cpu)
		}
	}
	return all, nil
}

// cpuRange reads 2 or 2-3.
func cpuRange(text string) (first, last int, err error) {
	from, to, both := strings.Cut(text, "-")
	if !both {
		to = from
	}
	a, err := strconv.ParseUint(from, 10, 16)
	if err != nil {
		return 0, 0, err
	}
	b, err := strconv.ParseUint(to, 10, 16)
	if err == nil && b < a {
		err = strconv.ErrRange
	}
	return int(a), int(b), err
}

// listOf writes CPUs, which are in order, as a list such as 0-3,8.
func listOf(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); i++ {
		first := cpus[i]
		for i+1 < len(cpus) && cpus[i+1] == cpus[i]+1 {
			i++
		}
		part := strconv.Itoa(first)
		if cpus[i] > first {
			part += "-" + strconv.Itoa(cpus[i])
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

// bound starts a process, which inherits the CPUs of the thread that starts it
// (sched_setaffinity(2)): all its threads are bound from the first instruction.
func bound(cpus []int, start func() error) error {
	if len(cpus) == 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for _, cpu := range cpus {
		wanted.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return lab.Usagef("the client cannot be bound to the CPUs %s: %v", listOf(cpus), err)
	}
	return errors.Join(start(), os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &before)))
}
