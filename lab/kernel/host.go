package kernel

import (
	"sync"

	"github.com/portlab/portlab/lab"
)

// Host implements [lab.Host] for one network namespace. It is safe for
// concurrent use.
type Host struct {
	*Namespace
	sidecars lab.Sidecars

	mu    sync.Mutex
	rules map[lab.Family]*rules
}

// NewHost makes a host of a namespace. Sidecars may be this package's
// [Sidecars], or a runtime's own.
func NewHost(ns *Namespace, sidecars lab.Sidecars) *Host {
	return &Host{Namespace: ns, sidecars: sidecars, rules: map[lab.Family]*rules{}}
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

// Sysctls implements [lab.Host].
func (h *Host) Sysctls() lab.Sysctls { return sysctls{h.Namespace} }

// Flows implements [lab.Host].
func (h *Host) Flows() lab.Flows { return flows{h.Namespace} }

// Bridges implements [lab.Host].
func (h *Host) Bridges() lab.Bridges { return bridges{h.Namespace} }

// Sidecars implements [lab.Host].
func (h *Host) Sidecars() lab.Sidecars { return h.sidecars }
