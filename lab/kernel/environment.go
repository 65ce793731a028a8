package kernel

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/portlab/portlab/lab"
)

// telling are the sysctls that change what is measured (ip-sysctl.rst,
// nf_conntrack-sysctl.rst).
var telling = []string{
	"net.ipv4.ip_forward", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_tw_reuse",
	"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.netfilter.nf_conntrack_max",
	"net.bridge.bridge-nf-call-iptables", "net.ipv4.tcp_migrate_req", "net.ipv4.fib_multipath_hash_policy",
}

// Environment describes the machine as a namespace sees it. What cannot be
// found out is left empty.
func Environment(ctx context.Context, ns *Namespace) lab.Environment {
	e := lab.Environment{
		CPUs: runtime.NumCPU(), Firewall: firewall(ctx),
		Sysctls: map[string]string{}, Versions: map[string]string{}, Notes: []string{},
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		e.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	e.OS = strings.Trim(field("/etc/os-release", "PRETTY_NAME", "="), `"`)
	e.CPU = field("/proc/cpuinfo", "model name", ":")
	kib, _, _ := strings.Cut(field("/proc/meminfo", "MemTotal", ":"), " ")
	if n, err := strconv.ParseUint(kib, 10, 64); err == nil {
		e.MemoryMiB = n / 1024
	}
	for _, key := range telling {
		if value, err := (sysctls{ns}).Get(key); err == nil {
			e.Sysctls[key] = value
		}
	}
	m := thisMachine()
	e.Emulated, e.Virtualization = m.emulated(), m.virtualization()
	e.Notes = append(e.Notes, notes(e.CPUs)...)
	return e
}

func firewall(ctx context.Context) string {
	path, err := lab.FindProgram("iptables")
	if err != nil {
		return ""
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// notes are what is unusual about a machine, and bears on figures.
func notes(cpus int) []string {
	var all []string
	if cpus < 4 {
		all = append(all, fmt.Sprintf("There are only %d CPUs: all that the run has on this machine competes for them.", cpus))
	}
	one, _, _ := strings.Cut(firstLine("/proc/loadavg"), " ")
	if load, err := strconv.ParseFloat(one, 64); err == nil && load > float64(cpus) {
		all = append(all, fmt.Sprintf("The load average of the last minute was %.1f on %d CPUs: the machine was busy with other things.", load, cpus))
	}
	if flagged("hypervisor") {
		all = append(all, "The machine is virtual: its CPU time may be shared with others.")
	}
	return all
}

// flagged says whether the kernel shows a flag of the processor.
func flagged(flag string) bool {
	return strings.Contains(" "+field("/proc/cpuinfo", "flags", ":")+" ", " "+flag+" ")
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path) // unreadable is as good as empty
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}

// field is the value of the first line of a file that has this key.
func field(path, key, separator string) string {
	text, _ := os.ReadFile(path) // unreadable is as good as empty
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, separator); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}
