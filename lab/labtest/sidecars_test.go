package labtest

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/portlab/portlab/lab"
)

func valid() lab.Sidecar {
	return lab.Sidecar{
		Name: "front", Program: "nginx", Args: []string{"-p", lab.SidecarDir + "/", "-c", lab.SidecarDir + "/a.conf"},
		Files: map[string]string{"a.conf": "x", "b.json": "{}"}, ReloadSignal: syscall.SIGHUP,
		Sockets: []lab.Socket{{Address: at("127.0.0.1:8080"), ReusePort: true}},
	}
}

func TestSidecarsRefusesWhatNoRuntimeCouldStart(t *testing.T) {
	for want, change := range map[string]func(*lab.Sidecar){
		"a name has":         func(s *lab.Sidecar) { s.Name = "Front 1" },
		"not found in $PATH": func(s *lab.Sidecar) { s.Program = "ngnix" },
		"a plain name":       func(s *lab.Sidecar) { s.Files = map[string]string{"a.conf": "", "../b": ""} },
		"is no JSON":         func(s *lab.Sidecar) { s.Files["b.json"] = "{" },
		"names a file":       func(s *lab.Sidecar) { s.Args = []string{lab.SidecarDir + "/c.conf"} },
		"cannot assign":      func(s *lab.Sidecar) { s.Sockets[0].Address = at("192.0.2.1:80") },
		"already in use":     func(s *lab.Sidecar) { s.Sockets[0].ReusePort = false },
		"no transport":       func(s *lab.Sidecar) { s.Sockets[0].Transport = "sctp" },
		"runs already":       func(s *lab.Sidecar) { s.Name = "other" },
	} {
		t.Run(want, func(t *testing.T) {
			h := NewHost(t)
			other := valid()
			other.Name = "other"
			if err := h.Sidecars().Start(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			before := h.Dump()
			s := valid()
			change(&s)
			if err := h.Sidecars().Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q in it", err, want)
			}
			if h.Dump() != before {
				t.Error("the refused sidecar left something")
			}
		})
	}
}

// TCP and UDP have ports of their own.
func TestSidecarsOfTwoTransportsShareNothing(t *testing.T) {
	h := NewHost(t)
	for _, transport := range []string{"tcp", "udp"} {
		s := valid()
		s.Name, s.Sockets[0].Transport, s.Sockets[0].ReusePort = transport, transport, false
		if err := h.Sidecars().Start(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
}

func TestSidecarsReload(t *testing.T) {
	h := NewHost(t)
	if err := h.Sidecars().Reload(t.Context(), valid()); err == nil {
		t.Error("reloaded what does not run")
	}
	if err := h.Sidecars().Start(t.Context(), valid()); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*lab.Sidecar){
		"neither takes a signal": func(s *lab.Sidecar) { s.ReloadSignal = 0 },
		"changes nothing else":   func(s *lab.Sidecar) { s.Args = nil },
		"is no JSON":             func(s *lab.Sidecar) { s.Files["b.json"] = "" },
	} {
		s := valid()
		change(&s)
		if err := h.Sidecars().Reload(t.Context(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	next := valid()
	next.Files["a.conf"] = "y"
	if err := h.Sidecars().Reload(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if got, ok := h.Running("front"); !ok || got.Files["a.conf"] != "y" {
		t.Errorf("%+v runs, %v", got, ok)
	}
	for range 2 {
		if err := h.Sidecars().Stop(t.Context(), "front"); err != nil {
			t.Error(err)
		}
	}
	h.AssertPristine(t)
}

func TestFlowsForgetsOnlyWhatIsMeant(t *testing.T) {
	h := NewHost(t)
	kept := []Flow{
		{Front: at("192.0.2.1:80"), Replica: at("198.18.0.3:80")},
		{Front: at("192.0.2.1:81"), Replica: at("198.18.0.2:80")},
	}
	for _, f := range append(kept, Flow{Front: at("192.0.2.1:80"), Replica: at("198.18.0.2:80")}) {
		h.Track(f)
	}
	n, err := h.Flows().Forget([]netip.AddrPort{at("192.0.2.1:80")}, []netip.AddrPort{at("198.18.0.2:80")})
	if n != 1 || err != nil {
		t.Errorf("%d forgotten, %v, want 1", n, err)
	}
	left := NewHost(t)
	for _, f := range kept {
		left.Track(f)
	}
	if h.Dump() != left.Dump() {
		t.Errorf("left:\n%s", h.Dump())
	}
	if _, err := h.Flows().Forget(nil, []netip.AddrPort{at("198.18.0.2:80")}); err == nil {
		t.Error("forgot the flows of every front")
	}
}

func TestShellForgetsFlows(t *testing.T) {
	for line, f := range map[string]Flow{
		"conntrack -D -p tcp -d 192.0.2.1 --orig-port-dst 80 -r 198.18.0.2 --reply-port-src 81 || true": {
			Front: at("192.0.2.1:80"), Replica: at("198.18.0.2:81"),
		},
		"conntrack -D -p tcp -d 2001:db8::1 --orig-port-dst 80 -r 2001:db8::2 --reply-port-src 81 || true": {
			Front: at("[2001:db8::1]:80"), Replica: at("[2001:db8::2]:81"),
		},
		"conntrack -D -p udp -d 192.0.2.1 --orig-port-dst 80 -r 198.18.0.2 --reply-port-src 81 || true": {
			Transport: "udp", Front: at("192.0.2.1:80"), Replica: at("198.18.0.2:81"),
		},
	} {
		h := NewHost(t)
		h.Track(f)
		shell(t, h, line)
		h.AssertPristine(t)
	}
}

// As the kernel does, the line keeps apart what differs in the transport only.
func TestShellForgetsFlowsOfOneTransport(t *testing.T) {
	h, left := NewHost(t), NewHost(t)
	f := Flow{Front: at("192.0.2.1:80"), Replica: at("198.18.0.2:81")}
	left.Track(f)
	h.Track(f)
	f.Transport = "udp"
	h.Track(f)
	shell(t, h, "conntrack -D -p udp -d 192.0.2.1 --orig-port-dst 80 -r 198.18.0.2 --reply-port-src 81 || true")
	if h.Dump() != left.Dump() {
		t.Errorf("left:\n%s", h.Dump())
	}
}

func TestShellRefuses(t *testing.T) {
	for _, line := range []string{
		"rm -rf x", "iptables -L", "iptables -t nat -Z OUTPUT", "iptables -t nat -D OUTPUT -j ACCEPT",
		"iptables -t nat -X MISSING", "iptables -t nat -X USED", "sysctl net.ipv4.ip_forward=1", "sysctl -w net.none=1",
		"conntrack -F", "conntrack -D -p sctp -d 192.0.2.1 --orig-port-dst 1 -r 192.0.2.2 --reply-port-src 2 || true", "conntrack -D -p tcp -d x --orig-port-dst 1 -r y --reply-port-src 2 || true",
		"conntrack -D -p tcp -d 2001:db8::1 --orig-port-dst 1 -r [2001:db8::2] --reply-port-src 2 || true",
		"ip6tables -t nat -A OUTPUT -p tcp -j DNAT --to-destination [2001:db8::1]:80",
		"iptables -t nat -A OUTPUT -m comment --comment 'x -j ACCEPT", "sysctl -w $x", "iptables -t nat -N \"X\"",
	} {
		h := NewHost(t)
		if err := h.Shell("iptables -t nat -N USED", "iptables -t nat -A USED -j ACCEPT"); err != nil {
			t.Fatal(err)
		}
		before := h.Dump()
		if err := h.Shell(line); err == nil {
			t.Errorf("%s: no error", line)
		}
		if h.Dump() != before {
			t.Errorf("%s: refused, and it left something", line)
		}
	}
}
