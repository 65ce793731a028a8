package kernel

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PassiveOpens is how many TCP connections the sockets of a namespace have
// accepted since it began (tcpPassiveOpens, RFC 4022).
func PassiveOpens(ctx context.Context, ns *Namespace) (uint64, error) {
	var text []byte
	err := ns.Do(ctx, func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/snmp")
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the TCP counters: %w", err)
	}
	return parseSNMP(string(text), "Tcp", "PassiveOpens")
}

// parseSNMP takes one counter out of /proc/net/snmp (proc_pid_net(5)): for each
// protocol a line of names, and a line of values in the same order.
func parseSNMP(text, protocol, counter string) (uint64, error) {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != protocol+":" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == counter && i < len(fields) {
				return strconv.ParseUint(fields[i], 10, 64)
			}
		}
		break
	}
	return 0, fmt.Errorf("/proc/net/snmp has no %s %s", protocol, counter)
}
