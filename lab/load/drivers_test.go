package load

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/portlab/portlab/lab"
)

func TestEveryProtocolHasADriverThatCan(t *testing.T) {
	for _, protocol := range lab.Protocols() {
		p := plan(10, 2)
		p.Protocol = protocol
		name, err := Choose(t.Context(), Auto, p)
		if err != nil || !slices.Contains(Drivers(), name) {
			t.Errorf("%s: driver %q, error %v", protocol, name, err)
		}
		if d, ok := Prober(protocol).(driver); !ok || d.can(p) != nil {
			t.Errorf("%s: what tries single requests cannot", protocol)
		}
	}
}

// TestDriversSayTheirNames holds each to the name in the table, in a load of the
// protocol that it carries.
func TestDriversSayTheirNames(t *testing.T) {
	to := goServer(t, "foo")
	for _, name := range Drivers() {
		p := plan(1, 1)
		if _, err := Choose(t.Context(), name, p); errors.Is(err, lab.ErrUnsupported) {
			continue // a program that is not here
		} else if err != nil {
			p.Protocol = lab.HTTP2
		}
		// Whether the server speaks that is not what is asked here.
		client, err := Process{Driver: name}.Drive(t.Context(), Local{}, p, []netip.AddrPort{to}, func(lab.Sample) {})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if client.Driver != name {
			t.Errorf("%s calls itself %q", name, client.Driver)
		}
	}
}
