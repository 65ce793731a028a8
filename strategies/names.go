package strategies

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

// dnsName is the name that replicas have: no name below test is anybody's (RFC
// 6761, 6.2).
const dnsName = "web.portlab.test"

// names is a server of DNS, `portlab names`, that gives the replicas' addresses
// for dnsName.
type names struct {
	sidecar string // its name
	at      netip.AddrPort
	ttl     string // how long an answer may be kept
	order   string // of the addresses in an answer
}

// namesConfig is the configuration of `portlab names`.
type namesConfig struct {
	Listen    []netip.AddrPort `json:"listen"`
	Name      string           `json:"name"`
	TTL       string           `json:"ttl"`
	Order     string           `json:"order"`
	Addresses []netip.Addr     `json:"addresses"`
}

// step starts the server, or gives it other addresses.
func (n names) step(to []lab.Replica) (lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	c := namesConfig{Listen: []netip.AddrPort{n.at}, Name: dnsName + ".", TTL: n.ttl, Order: n.order}
	for _, r := range to {
		if r.Address.Port() != to[0].Address.Port() {
			return nil, lab.Usagef("a name leads to addresses and not to ports: replicas at %s and %s cannot share one", to[0].Address, r.Address)
		}
		c.Addresses = append(c.Addresses, r.Address.Addr())
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the name server's configuration: %w", err)
	}
	return step.Sidecar{Sidecar: lab.Sidecar{
		Name: n.sidecar, Program: "portlab", OnHost: true, Transport: "udp",
		Args:         []string{"names", "--config", lab.SidecarDir + "/names.json"},
		Files:        map[string]string{"names.json": string(text) + "\n"},
		ReloadSignal: syscall.SIGHUP,
	}}, nil
}
