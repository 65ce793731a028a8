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

// machine looks for what runs need of the machine beside a runtime.
type machine func(context.Context) []finding

// thisMachine is the machine that the program runs on.
func thisMachine(ctx context.Context) []finding {
	own, err := kernel.Own()
	if err != nil {
		return []finding{finding{Name: "network namespace", Required: true}.not(err)}
	}
	defer own.Close()
	h := kernel.NewHost(own, nil)
	return []finding{
		privilege(), packetFilter(ctx, h), forwarding(h), conntrack(h),
		dockerProxy(ctx), program(ctx, "nginx", "the strategy nginx runs without it only from an --image or --sidecar-image", "-v"),
	}
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
		f.Remedy = "run with sudo; without it, strategies that need no root work with --vantage localhost"
	}
	return f
}

func packetFilter(ctx context.Context, h lab.Host) finding {
	f := program(ctx, "iptables", "apt-get install iptables", "--version")
	f.Required = true
	if f.State != present {
		return f
	}
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
