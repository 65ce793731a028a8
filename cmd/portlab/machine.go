package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// inspection looks for what runs need beside a runtime.
type inspection struct {
	// machine looks for what they need of this machine, whatever the runtime.
	machine func(context.Context) []finding
	// host looks for what they need of a runtime's host; in a world or not.
	host func(h lab.Host, inWorld bool) []finding
}

// thisMachine is the machine that the program runs on.
func thisMachine(ctx context.Context) []finding {
	iptables := program(ctx, "iptables", "apt-get install iptables", "--version")
	iptables.Required = true
	return []finding{
		iptables, dockerProxy(ctx),
		program(ctx, "nginx", "the strategy nginx runs without it only from an --image or --sidecar-image", "-v"),
		program(ctx, "nsenter", "portlab enter needs it: apt-get install util-linux", "--version"),
	}
}

// thisHost is a runtime's host as it is. Root of a world has every right there,
// and sets the sysctls itself.
func thisHost(h lab.Host, inWorld bool) []finding {
	if inWorld {
		return []finding{packetFilter(h), conntrack(h)}
	}
	return []finding{privilege(), packetFilter(h), forwarding(h), conntrack(h)}
}

// not is the finding for what an error says is not there, or could not be told.
func (f finding) not(err error) finding {
	f.State, f.Detail = unknown, err.Error()
	if no, ok := errors.AsType[*lab.UnsupportedError](err); ok {
		f.State, f.Detail, f.Remedy = missing, no.Reason, no.Remedy
	}
	return f
}

func privilege() finding {
	f := finding{Name: "CAP_NET_ADMIN", State: present, Required: true, Detail: "this user may change the network"}
	if os.Geteuid() == 0 {
		f.Detail = "root"
	}
	if !kernel.HasNetAdmin() {
		f.State, f.Detail = missing, "this user may not change the network"
		f.Remedy = "run with sudo, or use --runtime netns; strategies that need no root work with --vantage localhost"
	}
	return f
}

func packetFilter(h lab.Host) finding {
	f := finding{Name: "packet filter", State: present, Required: true, Detail: "this user may change it"}
	if _, err := h.Rules(lab.IPv4); err != nil {
		return f.not(err)
	}
	return f
}

func forwarding(h lab.Host) finding {
	f := finding{Name: "net.ipv4.ip_forward", State: present, Detail: "1"}
	v, err := h.Sysctls().Get("net.ipv4.ip_forward")
	if err != nil {
		return f.not(err)
	}
	if v != "1" {
		f.State, f.Detail = missing, v
		f.Remedy = "a Docker engine sets it when it starts; by hand: sysctl net.ipv4.ip_forward=1"
	}
	return f
}

// conntrack asks the kernel to forget flows that cannot be: between addresses
// for documents (RFC 5737).
func conntrack(h lab.Host) finding {
	f := finding{Name: "conntrack over netlink", State: present, Detail: "answers"}
	front := []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:9")}
	replica := []netip.AddrPort{netip.MustParseAddrPort("198.51.100.1:9")}
	if _, err := h.Flows().Forget(front, replica); err != nil {
		f = f.not(err)
		f.Remedy = or(f.Remedy, "modprobe nf_conntrack_netlink, and run with sudo")
	}
	return f
}

func dockerProxy(ctx context.Context) finding {
	f := program(ctx, "docker-proxy", "it comes with the Docker engine; `make tools` builds one", "")
	if f.State != present {
		return f
	}
	// An unknown flag, too, has it print those that it knows.
	usage, _ := exec.CommandContext(ctx, f.Detail, "-help").CombinedOutput()
	if !strings.Contains(string(usage), "use-listen-fd") {
		f.State, f.Remedy = missing, "several of them behind one port need -use-listen-fd (Docker 28 or newer): `make tools` builds one"
		f.Detail += " does not know -use-listen-fd"
		return f
	}
	f.Detail += " knows -use-listen-fd"
	return f
}

// program looks for a program and what it says of its version, if it is asked.
func program(ctx context.Context, name, remedy, versionFlag string) finding {
	f := finding{Name: name, State: present}
	path, err := lab.FindProgram(name)
	if err != nil {
		f = f.not(err)
		f.Remedy = remedy
		return f
	}
	f.Detail = path
	if versionFlag == "" {
		return f
	}
	text, err := exec.CommandContext(ctx, path, versionFlag).CombinedOutput()
	if err != nil {
		f.State, f.Detail = unknown, path+" "+versionFlag+": "+err.Error()
		return f
	}
	first, _, _ := strings.Cut(string(text), "\n")
	f.Detail = strings.TrimSpace(first)
	return f
}
