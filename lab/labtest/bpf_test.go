package labtest

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// bpfHost is a fake host with an address on a LAN.
func bpfHost(t *testing.T) *Host {
	h := NewHost(t)
	h.AddLink(Link{Name: "lan", Prefix: netip.MustParsePrefix("198.19.0.1/24")})
	return h
}

// program is one that a host takes, with replicas at these addresses.
func program(hook lab.BPFHook, at ...string) lab.BPFProgram {
	p := lab.BPFProgram{
		Name: "portlab-aaaaaa-front", Run: "aaaaaa", Hook: hook, Method: lab.MethodRandom, Transport: "tcp",
		Front: []netip.AddrPort{netip.MustParseAddrPort("198.19.0.1:8080")},
	}
	for i, a := range at {
		p.Replicas = append(p.Replicas, lab.Replica{Instance: lab.InstanceName(i), Address: netip.MustParseAddrPort(a), Weight: 1})
	}
	return p
}

func TestBPFProgramsComeAndGo(t *testing.T) {
	h := bpfHost(t)
	p := program(lab.BPFLookup, "198.19.0.1:8081")
	attach, replace := h.BPF().Attach, h.BPF().Replace
	if err := replace(t.Context(), p); err == nil {
		t.Error("what is not attached was replaced")
	}
	if err := attach(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := attach(t.Context(), p); err == nil {
		t.Error("attached twice")
	}
	p.Replicas = append(p.Replicas, program(lab.BPFLookup, "198.19.0.1:8082").Replicas...)
	if err := replace(t.Context(), p); err != nil || len(h.BPFPrograms()[0].Replicas) != 2 {
		t.Errorf("%v, %+v", err, h.BPFPrograms())
	}
	p.Front = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}
	if err := replace(t.Context(), p); err == nil {
		t.Error("a program took another front")
	}
	for range 2 {
		if err := h.BPF().Detach(t.Context(), p.Name); err != nil {
			t.Error(err)
		}
	}
	h.AssertPristine(t)
}

// What no kernel would attach is refused.
func TestBPFProgramThatLeadsNowhereIsRefused(t *testing.T) {
	inTurn, elsewhere, noFront, sctp := program(lab.BPFReuseportClassic, "198.19.0.1:8080"), program(lab.BPFLookup, "198.19.0.1:8081"),
		program(lab.BPFLookup, "198.19.0.1:8081"), program(lab.BPFLookup, "198.19.0.1:8081")
	inTurn.Method = lab.MethodTurn
	elsewhere.Front[0] = netip.MustParseAddrPort("192.0.2.1:80")
	noFront.Front = nil
	sctp.Transport = "sctp"
	for name, p := range map[string]lab.BPFProgram{
		"no such hook": program("xdp", "198.19.0.1:8080"), "no replicas": program(lab.BPFLookup), "no front": noFront,
		"no such method": inTurn, "front elsewhere": elsewhere, "transport": sctp,
		"another IP version": program(lab.BPFConnect, "[2001:db8::1]:80"), "onto itself": program(lab.BPFConnect, "198.19.0.1:8080"),
		"socket elsewhere": program(lab.BPFLookup, "198.18.0.2:80"), "not sharing": program(lab.BPFReuseport, "198.19.0.1:8081"),
	} {
		h := bpfHost(t)
		if err := h.BPF().Attach(t.Context(), p); err == nil {
			t.Errorf("%s: it was attached", name)
		}
		h.AssertPristine(t)
	}
}

func TestBPFByHand(t *testing.T) {
	h := bpfHost(t)
	const file = "/tmp/portlab-aaaaaa-front.pid"
	line := lab.ShellLine(append([]string{"portlab", "bpf"}, program(lab.BPFConnect, "198.18.0.2:80").Words()...)...) + " & echo $! > "
	for _, bad := range []string{
		strings.Replace(line, "connect", "xdp", 1) + file, line + "/tmp/other.pid", strings.Replace(line, "--front", "--back", 1) + file,
		`kill "$(cat ` + file + `)" && rm ` + file,
	} {
		if err := h.Shell(bad); err == nil {
			t.Errorf("understood: %s", bad)
		}
	}
	if err := h.Shell(line + file); err != nil || len(h.BPFPrograms()) != 1 {
		t.Fatalf("%v, %v", err, h.BPFPrograms())
	}
	if err := h.Shell(`kill "$(cat ` + file + `)" && rm ` + file); err != nil {
		t.Error(err)
	}
	h.AssertPristine(t)
}

func TestHostWithoutBPF(t *testing.T) {
	h, why := NewHost(t), &lab.UnsupportedError{What: "BPF", Reason: "no kernel"}
	if err := h.BPF().Supports(t.Context(), lab.BPFLookup, lab.IPv4); err != nil {
		t.Error(err)
	}
	h.WithoutBPF(why)
	if err := h.BPF().Supports(t.Context(), lab.BPFLookup, lab.IPv4); !errors.Is(err, lab.ErrUnsupported) {
		t.Errorf("%v, want that it has none", err)
	}
}
