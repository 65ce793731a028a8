package load

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// localPorts reads how many ports connect(2) may choose from, in the namespace
// of this thread; 0: unknown.
func localPorts() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range") // of IPv6 too
	if err != nil {
		return 0
	}
	var low, high int
	if _, err := fmt.Sscan(strings.TrimSpace(string(text)), &low, &high); err != nil {
		return 0
	}
	return high - low + 1
}

// fineTimers makes the kernel wake this thread when it should: by default it
// may take 50 µs more, to wake several at once (PR_SET_TIMERSLACK, prctl(2)).
// The function that it returns takes that back.
func fineTimers() func() {
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) != nil {
		return func() {}
	}
	return func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack), 0, 0, 0) }
}
