package docker

import (
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// The links that are impaired are the very ones that the commands by hand make,
// of which one end is on the machine.
func TestTheImpairedLinkIsTheClients(t *testing.T) {
	spec := lab.FleetSpec{Run: "k3f5a2", Replicas: 2}
	b := draft(spec, layoutOf(0), 8080, "")
	if !kernel.HasNetAdmin() {
		if len(b.LAN) > 0 {
			t.Errorf("there is no external client, and its link is %v", b.LAN)
		}
		return
	}
	client, host := b.LAN[0], b.LAN[1]
	made := "ip link add " + host.Name + " type veth peer name " + client.Name + " netns " + strings.TrimPrefix(client.Shell, "ip netns exec ")
	if host.Shell != "" || !slices.Contains(b.Shell, made) {
		t.Errorf("no command is %q, and the host's end is at %q:\n%s", made, host.Shell, strings.Join(b.Shell, "\n"))
	}
}
