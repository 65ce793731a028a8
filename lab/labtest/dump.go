package labtest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Dump is the whole state of the host as text, in an order of its own, so that
// equal hosts have equal dumps.
func (h *Host) Dump() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dump()
}

func (h *Host) dump() string {
	var b strings.Builder
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		h.filters[ip].dump(&b, fmt.Sprintf("ip%d ", ip))
	}
	h.dumpOthers(&b)
	for _, name := range slices.Sorted(maps.Keys(h.sysctls)) {
		fmt.Fprintf(&b, "sysctl %s=%s\n", name, h.sysctls[name])
	}
	for _, bridge := range h.hairpins {
		fmt.Fprintf(&b, "hairpin %s\n", bridge)
	}
	for _, f := range h.flows {
		fmt.Fprintf(&b, "flow %s %s -> %s\n", cmp.Or(f.Transport, "tcp"), f.Front, f.Replica)
	}
	for _, name := range slices.Sorted(maps.Keys(h.sidecars)) {
		fmt.Fprintf(&b, "sidecar %+v\n", h.sidecars[name])
	}
	for _, name := range slices.Sorted(maps.Keys(h.bpf)) {
		fmt.Fprintf(&b, "BPF program %+v\n", h.bpf[name])
	}
	return b.String()
}

// dumpOthers shows what is kept by keys that have no order.
func (h *Host) dumpOthers(b *strings.Builder) {
	var lines []string
	for _, t := range h.nft {
		lines = append(lines, fmt.Sprintf("nftables %+v\n", t))
	}
	for to, hops := range h.routes {
		lines = append(lines, fmt.Sprintf("route %s %+v\n", to, hops))
	}
	for _, s := range h.virtual {
		lines = append(lines, fmt.Sprintf("virtual server %+v\n", s))
	}
	slices.Sort(lines)
	b.WriteString(strings.Join(lines, ""))
}

func (ts tables) dump(b *strings.Builder, prefix string) {
	for _, table := range slices.Sorted(maps.Keys(ts)) {
		for _, name := range slices.Sorted(maps.Keys(ts[table])) {
			c := ts[table][name]
			fmt.Fprintf(b, "%s%s :%s %s\n", prefix, table, name, c.policy)
			for _, r := range c.rules {
				fmt.Fprintf(b, "%s%s -A %s %s\n", prefix, table, name, strings.Join(r.words, " "))
			}
		}
	}
}
