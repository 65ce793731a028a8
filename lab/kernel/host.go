package kernel

import (
	"context"
	"sync"

	"github.com/portlab/portlab/lab"
)

// Host implements [lab.Host] for one network namespace. It is safe for
// concurrent use.
type Host struct {
	*Namespace
	sidecars lab.Sidecars
	bpf      *bpf

	mu    sync.Mutex
	rules map[lab.Family]*rules
}

// NewHost makes a host of a namespace. Sidecars may be this package's
// [Sidecars], or a runtime's own.
func NewHost(ns *Namespace, sidecars lab.Sidecars) *Host {
	return &Host{Namespace: ns, sidecars: sidecars, bpf: newBPF(ns), rules: map[lab.Family]*rules{}}
}

// Rules implements [lab.Host].
func (h *Host) Rules(ip lab.Family) (lab.Rules, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r, ok := h.rules[ip]; ok {
		return r, nil
	}
	r, err := openRules(h.Namespace, ip)
	if err != nil {
		return nil, err
	}
	h.rules[ip] = r
	return r, nil
}

// Nftables implements [lab.Host].
func (h *Host) Nftables() (lab.Nftables, error) {
	t, err := openTables(h.Namespace)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Routes implements [lab.Host].
func (h *Host) Routes() lab.Routes { return routes{h.Namespace} }

// VirtualServers implements [lab.Host].
func (h *Host) VirtualServers() (lab.VirtualServers, error) {
	v, err := openVirtualServers(h.Namespace)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Sysctls implements [lab.Host].
func (h *Host) Sysctls() lab.Sysctls { return sysctls{h.Namespace} }

// Flows implements [lab.Host].
func (h *Host) Flows() lab.Flows { return flows{h.Namespace} }

// CheckLink implements [lab.Linker].
func (*Host) CheckLink(ctx context.Context, k lab.LinkKind) error { return checkLink(ctx, k) }

// Bridges implements [lab.Host].
func (h *Host) Bridges() lab.Bridges { return bridges{h.Namespace} }

// BPF implements [lab.Host].
func (h *Host) BPF() lab.BPF { return h.bpf }

// DetachAll takes all programs away that steps have attached by BPF. It is
// idempotent, and joins errors.
func (h *Host) DetachAll(ctx context.Context) error { return h.bpf.detachAll(ctx) }

// Sidecars implements [lab.Host].
func (h *Host) Sidecars() lab.Sidecars { return h.sidecars }
