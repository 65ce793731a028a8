package kernel

import (
	"context"
	"errors"
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
	return parsePassiveOpens(string(text))
}

// parsePassiveOpens takes the counter out of /proc/net/snmp (proc_pid_net(5)): for each
// protocol a line of names, and a line of values in the same order.
func parsePassiveOpens(text string) (uint64, error) {
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "PassiveOpens" && i < len(fields) {
				return strconv.ParseUint(fields[i], 10, 64)
			}
		}
		break
	}
	return 0, errors.New("/proc/net/snmp has no PassiveOpens of TCP")
}
