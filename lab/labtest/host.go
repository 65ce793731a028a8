package labtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portlab/portlab/lab"
)

// ErrInjected is the failure that [Host.FailAt] injects.
var ErrInjected = errors.New("injected failure")

// Link is a network link of the fake host. One with addresses of both families
// is added once for each.
type Link struct {
	Name string
	// Prefix is the host's own address on the link with the network behind it.
	Prefix netip.Prefix
	// Kind is that of the links behind it; empty: it is a bridge.
	Kind lab.LinkKind
}

// Host is a strict fake of [lab.Host]. It begins with the built-in chains, a
// loopback link, forwarding switched on, all for IPv4 and IPv6, and the
// programs that strategies run. It may be used by several goroutines.
type Host struct {
	t  testing.TB
	mu sync.Mutex

	filters  map[lab.Family]tables
	nft      map[nftKey]lab.NftTable
	turns    map[string]uint32 // of the rules of nftables that count
	routes   map[netip.Prefix][]lab.Hop
	virtual  map[virtualKey]lab.VirtualServer
	sysctls  map[string]string
	flows    []Flow
	sidecars map[string]lab.Sidecar
	bpf      map[string]lab.BPFProgram
	programs []string
	links    []Link
	hairpins []string // bridges whose ports have the mode
	noRules  error
	noBPF    error

	mutations, failAt int
	start             string
	random            *rand.Rand
}

var _ lab.Host = (*Host)(nil)

// NewHost returns a host in its first state. Words that it does not understand
// fail t.
func NewHost(t testing.TB) *Host {
	h := &Host{
		t:        t,
		filters:  map[lab.Family]tables{lab.IPv4: newTables(), lab.IPv6: newTables()},
		nft:      map[nftKey]lab.NftTable{},
		turns:    map[string]uint32{},
		routes:   map[netip.Prefix][]lab.Hop{},
		virtual:  map[virtualKey]lab.VirtualServer{},
		sysctls:  map[string]string{forwarding[lab.IPv4]: "1", forwarding[lab.IPv6]: "1", "net.ipv4.conf.all.route_localnet": "0"},
		sidecars: map[string]lab.Sidecar{},
		bpf:      map[string]lab.BPFProgram{},
		programs: slices.Clone(proxies),
		random:   rand.New(rand.NewPCG(1, 2)),
	}
	for _, own := range []string{"127.0.0.1/8", "::1/128"} {
		h.AddLink(Link{Name: "lo", Prefix: netip.MustParsePrefix(own)})
	}
	return h
}

// AddLink gives the host a link, with its route_localnet parameter at 0. As
// all set-up, it belongs to the state that [Host.AssertPristine] compares with.
func (h *Host) AddLink(l Link) {
	h.given(func() {
		h.links = append(h.links, l)
		h.sysctls["net.ipv4.conf."+l.Name+".route_localnet"] = "0"
	})
}

// RemoveLink takes a link away, and its parameters with it.
func (h *Host) RemoveLink(name string) {
	h.given(func() {
		h.links = slices.DeleteFunc(h.links, func(l Link) bool { return l.Name == name })
		delete(h.sysctls, "net.ipv4.conf."+name+".route_localnet")
		h.hairpins = slices.DeleteFunc(h.hairpins, func(b string) bool { return b == name })
	})
}

// GiveSysctl declares a parameter; any other is unknown.
func (h *Host) GiveSysctl(name, value string) { h.given(func() { h.sysctls[name] = value }) }

// GiveProgram makes a program known; to start any other fails.
func (h *Host) GiveProgram(name string) { h.given(func() { h.programs = append(h.programs, name) }) }

// WithoutRules makes [Host.Rules] return err.
func (h *Host) WithoutRules(err error) { h.given(func() { h.noRules = err }) }

func (h *Host) given(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
	h.start = h.dump()
}

// Do runs f where it is called.
func (h *Host) Do(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f()
}

// Rules gives the packet filter of one family.
func (h *Host) Rules(ip lab.Family) (lab.Rules, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noRules != nil {
		return nil, h.noRules
	}
	if h.filters[ip] == nil {
		return nil, fmt.Errorf("no IP version %d", ip)
	}
	return &rules{h: h, family: ip}, nil
}

// Sysctls gives the declared parameters.
func (h *Host) Sysctls() lab.Sysctls { return sysctls{h} }

// Flows gives the tracked connections that [Host.Track] put there.
func (h *Host) Flows() lab.Flows { return flows{h} }

// Sidecars gives the running sidecars.
func (h *Host) Sidecars() lab.Sidecars { return sidecars{h} }

// Mutations is how many changes were asked for so far, refused ones included.
func (h *Host) Mutations() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mutations
}

// FailAt makes the n-th change from now fail with [ErrInjected], once; n = 0
// takes that back.
func (h *Host) FailAt(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failAt = 0
	if n > 0 {
		h.failAt = h.mutations + n
	}
}

// mutate counts a change; the caller holds the lock.
func (h *Host) mutate(what string) error {
	h.mutations++
	if h.mutations == h.failAt {
		return fmt.Errorf("%s: %w", what, ErrInjected)
	}
	return nil
}

// Diff shows how the host differs from its first state; empty if it does not.
func (h *Host) Diff() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := h.dump(); now != h.start {
		return cmp.Diff(h.start, now)
	}
	return ""
}

// AssertPristine fails t if the host is not as it was in the beginning.
func (h *Host) AssertPristine(t testing.TB) {
	t.Helper()
	if d := h.Diff(); d != "" {
		t.Errorf("left behind on the host (-before +after):\n%s", d)
	}
}
