package load

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/portlab/portlab/lab"
)

// faults says which fault an error is, whenever it occurs (connect(2), tcp(7)).
// The deadline is not among them: what it means depends on when it passes.
var faults = []struct {
	fault lab.Fault
	of    []error
}{
	{lab.Refused, []error{syscall.ECONNREFUSED}},
	{lab.Reset, []error{syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, errClosedEarly}},
	{lab.Unreachable, []error{syscall.EHOSTUNREACH, syscall.ENETUNREACH}},
	{lab.ClientLimit, []error{
		syscall.EADDRNOTAVAIL, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
	}},
	{lab.BadAnswer, []error{errTooLong}},
}

// classify names the fault of a request that failed before or after its
// connection stood.
func classify(err error, connected bool) lab.Fault {
	for _, f := range faults {
		for _, target := range f.of {
			if errors.Is(err, target) {
				return f.fault
			}
		}
	}
	var malformed *malformedError
	switch {
	case errors.As(err, &malformed):
		return lab.BadAnswer
	case !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, syscall.ETIMEDOUT):
		return lab.Other
	case connected:
		return lab.ReadTimeout
	}
	return lab.ConnectTimeout
}

// exhaustion says what the client has run out of, and what to do about it;
// empty for any other error. Ports is how many local ports there are to one
// target from one address; 0: unknown.
func exhaustion(err syscall.Errno, ports int) string {
	switch err {
	case syscall.EADDRNOTAVAIL:
		return fmt.Sprintf("no local port is free: to one target there are %s from one client address (net.ipv4.ip_local_port_range), "+
			"and each is in TIME_WAIT for a minute where the client closes first: use --close server, --clients or a wider range", orUnknown(ports))
	case syscall.EMFILE:
		return "no file descriptor is free in this process: raise ulimit -n or lower --concurrency"
	case syscall.ENFILE:
		return "no file descriptor is free on this machine: raise fs.file-max or lower --concurrency"
	case syscall.ENOBUFS, syscall.ENOMEM:
		return "no memory is left for sockets: raise net.ipv4.tcp_mem (udp_mem) or lower --concurrency"
	}
	return ""
}

func orUnknown(ports int) string {
	if ports == 0 {
		return "too few"
	}
	return strconv.Itoa(ports)
}

// maxDetail bounds, in bytes, what is kept of an error's text: a malformed
// answer is quoted in it.
const maxDetail = 120

func detail(err error) string {
	text := err.Error()
	if len(text) > maxDetail {
		return text[:maxDetail] + "..."
	}
	return text
}
