package kernel

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// stat is what /proc/PID/stat says of a process (proc_pid_stat(5)).
type stat struct {
	parent, session int
	own             time.Duration // processor time of its threads, in ticks
	reaped          time.Duration // of the children that it waited for, in ticks
}

// Where fields are behind the command's name, which is the second one and may
// itself hold spaces and parentheses.
const (
	statParent  = 1
	statSession = 3
	statUser    = 11
	statSystem  = 12
	statReaped  = 13 // user, and system after it
)

func parseStat(text string) (stat, bool) {
	fields := strings.Fields(text[strings.LastIndex(text, ")")+1:])
	if len(fields) <= statReaped+1 {
		return stat{}, false
	}
	var n [statReaped + 2]int
	for _, i := range []int{statParent, statSession, statUser, statSystem, statReaped, statReaped + 1} {
		v, err := strconv.Atoi(fields[i])
		if err != nil {
			return stat{}, false
		}
		n[i] = v
	}
	return stat{
		parent: n[statParent], session: n[statSession],
		own:    time.Duration(n[statUser]+n[statSystem]) * userTick,
		reaped: time.Duration(n[statReaped]+n[statReaped+1]) * userTick,
	}, true
}

// parsePSS takes the proportional set size, in KiB, out of smaps_rollup.
func parsePSS(text []byte) (kib uint64, ok bool) {
	for line := range bytes.Lines(text) {
		if value, found := bytes.CutPrefix(line, []byte("Pss:")); found {
			fields := bytes.Fields(value)
			if len(fields) == 0 {
				return 0, false
			}
			kib, err := strconv.ParseUint(string(fields[0]), 10, 64)
			return kib, err == nil
		}
	}
	return 0, false
}

// parseMachine adds up the first line of /proc/stat (proc_stat(5)): user, nice,
// system, idle, iowait, irq, softirq, steal. Guests' time is in user's already.
func parseMachine(text string) (busy, stolen time.Duration, err error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, 0, fmt.Errorf("read what the machine does: /proc/stat begins with %q", line)
	}
	for i, f := range fields[1:9] {
		ticks, err := strconv.ParseUint(f, 10, 63)
		if err != nil {
			return 0, 0, fmt.Errorf("read what the machine does: /proc/stat begins with %q", line)
		}
		switch i {
		case 3, 4: // idle, iowait
		case 7:
			stolen = time.Duration(ticks) * userTick
		default:
			busy += time.Duration(ticks) * userTick
		}
	}
	return busy, stolen, nil
}
