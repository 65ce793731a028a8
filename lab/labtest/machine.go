package labtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
)

// Machine is a picture of the real machine: what a run could leave behind on
// it, as text by the command or the path of the engine's API that shows it.
type Machine map[string]string

// pictures are the commands that show what a run could leave behind.
var pictures = [][]string{
	{"iptables-save"},
	{"ip6tables-save"},
	{"nft", "list", "ruleset"},
	{"ip", "-o", "link"},
	{"ip", "-o", "addr"},
	{"ip", "route", "show", "table", "all"},
	{"ip", "netns"},
}

// sysctlPatterns are the files of the kernel's parameters that a run changes.
var sysctlPatterns = []string{
	"/proc/sys/net/ipv4/ip_forward",
	"/proc/sys/net/ipv4/ip_local_port_range",
	"/proc/sys/net/ipv4/tcp_tw_reuse",
	"/proc/sys/net/ipv4/tcp_migrate_req",
	"/proc/sys/net/ipv4/fib_multipath_*",
	"/proc/sys/net/ipv4/conf/*/route_localnet",
	"/proc/sys/net/ipv4/conf/*/rp_filter",
	"/proc/sys/net/ipv6/conf/*/forwarding",
	"/proc/sys/net/bridge/bridge-nf-call-*",
	"/proc/sys/net/netfilter/nf_conntrack_max",
}

// Snapshot takes a picture. A program that is not here, or that may not be
// used, shows nothing; what it says is part of the picture.
func Snapshot(ctx context.Context) (Machine, error) {
	m := Machine{}
	for _, words := range pictures {
		m[strings.Join(words, " ")] = show(ctx, words)
	}
	for _, path := range engineLists {
		m["engine "+path] = showEngine(ctx, path)
	}
	var err error
	if m["sysctl"], err = showSysctls(); err != nil {
		return nil, err
	}
	if m["processes of runs"], err = showProcesses(); err != nil {
		return nil, err
	}
	if m["namespaces"], err = showNamespaces(); err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	m["mounts"] = string(mounts)
	return m, nil
}

// Diff shows how another picture differs, one command after the other; empty
// if it does not.
func (m Machine) Diff(other Machine) string {
	return cmp.Diff(map[string]string(m), map[string]string(other))
}

func show(ctx context.Context, words []string) string {
	out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return ""
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if line = settled(line); line != "" {
			lines = append(lines, line)
		}
	}
	if err != nil {
		lines = append(lines, err.Error())
	}
	return strings.Join(lines, "\n")
}

// settled takes out what changes by itself: comments with the time, counters
// of packets, how long an address is valid.
func settled(line string) string {
	line = strings.TrimRight(line, "\n")
	if strings.HasPrefix(line, "#") {
		return ""
	}
	var words []string
	skip := 0
	for w := range strings.SplitSeq(line, " ") {
		switch {
		case skip > 0:
			skip--
		case w == "packets" || w == "bytes" || w == "valid_lft" || w == "preferred_lft":
			skip = 1
		case counters(w):
		default:
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

// counters recognises what iptables-save shows of a chain, such as [12:3456].
func counters(w string) bool {
	return len(w) > 2 && w[0] == '[' && w[len(w)-1] == ']' && strings.Trim(w[1:len(w)-1], "0123456789:") == ""
}

func showSysctls() (string, error) {
	var lines []string
	for _, pattern := range sysctlPatterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, f := range files {
			value, err := os.ReadFile(f)
			if errors.Is(err, fs.ErrNotExist) {
				continue // its link has just gone
			}
			if err != nil {
				return "", err
			}
			lines = append(lines, f+" = "+strings.TrimSpace(string(value)))
		}
	}
	return strings.Join(lines, "\n"), nil
}

// showNamespaces lists the network, mount and user namespaces that processes
// are in (namespaces(7)), each once.
func showNamespaces() (string, error) {
	var found []string
	for _, kind := range []string{"net", "mnt", "user"} {
		files, err := filepath.Glob("/proc/[0-9]*/ns/" + kind)
		if err != nil {
			return "", err
		}
		for _, f := range files {
			if is, err := os.Readlink(f); err == nil { // it may just have ended
				found = append(found, is)
			}
		}
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), "\n"), nil
}

// showProcesses lists the processes with PORTLAB_RUN in their environment: those
// that runs have started.
func showProcesses() (string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return "", err
	}
	var lines []string
	for _, f := range files {
		environ, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended, or belongs to somebody else
		}
		for v := range bytes.SplitSeq(environ, []byte{0}) {
			if bytes.HasPrefix(v, []byte("PORTLAB_RUN=")) {
				lines = append(lines, fmt.Sprintf("process %s %s", filepath.Base(filepath.Dir(f)), v))
			}
		}
	}
	return strings.Join(lines, "\n"), nil
}
