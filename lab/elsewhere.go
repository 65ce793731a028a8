package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Machine is what a reader must know of a client's machine where that is not
// the one that the run is on.
type Machine struct {
	Kernel string `json:"kernel"` // release, as uname -r has it
	OS     string `json:"os"`     // PRETTY_NAME of os-release(5)
	CPU    string `json:"cpu"`    // model name; empty where the system does not say
	CPUs   int    `json:"cpus"`   // that the client may use
	// SharesKernel: it has a network of its own on the very kernel that the run is
	// on, as a container has, and so shares its processors.
	SharesKernel bool `json:"shares_kernel"`
}

// String describes the machine.
func (m Machine) String() string {
	if m.SharesKernel {
		return "a network of its own on this machine's kernel"
	}
	model := ""
	if m.CPU != "" {
		model = " (" + m.CPU + ")"
	}
	return fmt.Sprintf("Linux %s, %s, %d CPUs%s", m.Kernel, m.OS, m.CPUs, model)
}

// note tells readers of the machine.
func (m Machine) note() string {
	if m.SharesKernel {
		return "The client had " + m.String() + ", and shared its CPUs."
	}
	return "The client was on another machine: " + m.String() + "."
}

// here is the part of the client's processor time that this machine's
// processors spent.
func (c Client) here() time.Duration {
	if c.Machine != nil && !c.Machine.SharesKernel {
		return 0
	}
	return c.CPU()
}

// place is where the client stands.
func (t *Trial) place(ctx context.Context, f Fleet) (Place, error) {
	if t.Place != nil {
		return t.Place, nil
	}
	return f.Place(ctx, t.Vantage)
}

// elsewhere returns an [UnsupportedError] where a client on another machine
// would have to call what it knows no way to.
func (t *Trial) elsewhere(b Blueprint) error {
	if !t.Fleet.Client.IsValid() {
		return nil
	}
	for _, to := range Targets(t.Strategy, b.Front, t.Vantage, b.Replicas) {
		if to.Addr() != b.Front.Address {
			return &UnsupportedError{
				What:   FullName(t.Strategy) + " with a client on another machine",
				Reason: "its clients call the replicas' own addresses, to which only this machine knows a way",
				Remedy: "choose a strategy whose clients call the front, or leave --client-via out",
			}
		}
	}
	return nil
}

// unheard adds to a front's silence what a client on another machine may have
// met on the way.
func (t *Trial) unheard(err error, to netip.AddrPort) error {
	if !t.Fleet.Client.IsValid() || !errors.Is(err, ErrSilent) {
		return err
	}
	return fmt.Errorf("%w; the client is on another machine, %s: a firewall of this machine's, which portlab never opens, "+
		"or one on the way may drop what goes to port %d", err, t.Fleet.Client, to.Port())
}
