package netns

import (
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
)

// The links that are impaired are the very ones that the commands by hand make.
func TestTheImpairedLinkIsTheClients(t *testing.T) {
	b := draft(lab.FleetSpec{Run: "k3f5a2", Family: lab.IPv4, Replicas: 2})
	client, host := b.LAN[0], b.LAN[1]
	where := func(e lab.LinkEnd) string { return strings.TrimPrefix(e.Shell, "ip netns exec ") }
	made := "ip -n " + where(host) + " link add " + host.Name + " type veth peer name " + client.Name + " netns " + where(client)
	if !slices.Contains(b.Shell, made) {
		t.Errorf("no command is %q:\n%s", made, strings.Join(b.Shell, "\n"))
	}
}
