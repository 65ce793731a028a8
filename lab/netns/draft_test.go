package netns

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

func TestReplicasHaveAddressesOfTheirOwn(t *testing.T) {
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		l := layoutOf(ip)
		taken := map[netip.Addr]bool{l.gateway: true, l.host: true, l.client: true}
		for i := range 3 * maxReplicas { // a fleet that is scaled up and down uses up more than it has at a time
			a := l.replica(i)
			if taken[a] || !l.subnet.Contains(a) || a == l.subnet.Addr() {
				t.Fatalf("IPv%d: replica %d gets %s, which is taken or not in %s", ip, i, a, l.subnet)
			}
			taken[a] = true
		}
		if l.lan.Contains(l.gateway) || !l.lan.Contains(l.host) || !l.lan.Contains(l.client) || l.subnet.Overlaps(l.lan) {
			t.Errorf("IPv%d: %+v is no layout", ip, l)
		}
	}
}

// placements are all that strategies ask for.
var placements = []lab.FleetSpec{
	{Placement: lab.OwnNetns}, {Placement: lab.OwnNetns, Inherit: lab.InheritOwn}, {Placement: lab.OwnNetns, Inherit: lab.InheritShared},
	{Placement: lab.SharedNetns, ReusePort: true, Publish: lab.PublishSandbox},
	{Placement: lab.HostNetns, ReusePort: true}, {Placement: lab.HostNetns, OwnPorts: true},
	{Placement: lab.OwnNetns, SharedAddress: true},
	{Placement: lab.OwnNetns, Link: lab.LinkMacvlan}, {Placement: lab.OwnNetns, Link: lab.LinkIPvlan},
	{Placement: lab.OwnNetns, Link: lab.LinkMacvlan, SharedAddress: true},
}

func TestWhatIsDoneByHandCanBeFoundAgain(t *testing.T) {
	for _, spec := range placements {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			spec.Run, spec.Replicas, spec.Family = "aaaaaa", 3, ip
			b := draft(spec)
			var made, deleted []string
			for _, line := range slices.Concat(b.Shell, b.Undo, []string{b.HostShell}) {
				if !strings.Contains(line, "portlab-aaaaaa-") {
					t.Errorf("nothing in this line can be found again by the run's id: %s", line)
				}
				if name, ok := strings.CutPrefix(line, "ip netns add "); ok {
					made = append(made, name)
				}
				if name, ok := strings.CutPrefix(line, "ip netns del "); ok {
					deleted = append(deleted, name)
				}
			}
			slices.Sort(made)
			slices.Sort(deleted)
			if len(made) < 2 || !slices.Equal(made, deleted) {
				t.Errorf("%+v makes %v by hand and deletes %v", spec, made, deleted)
			}
			if b.Facts.Published {
				t.Errorf("%+v: there is nothing that publishes", spec)
			}
		}
	}
}

func TestNamesFitALink(t *testing.T) {
	const longest = 15 // IFNAMSIZ less the final zero, netdevice(7)
	for i := range maxReplicas {
		if name := portOf(lab.InstanceName(i)); len(name) > longest {
			t.Errorf("%s is too long for a link's name", name)
		}
	}
}

// All clients are on the LAN, and none is the host or a replica.
func TestClientsHaveAddressesOfTheirOwn(t *testing.T) {
	for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
		b := draft(lab.FleetSpec{Run: "aaaaaa", Family: ip, Replicas: 1, Clients: lab.MaxClients})
		for _, a := range kernel.Consecutive(b.Facts.Client, lab.MaxClients) {
			if a == b.Front.Address || !b.Facts.Clients.Contains(a) || b.Facts.Subnet.Contains(a) || !layoutOf(ip).lan.Contains(a) {
				t.Fatalf("a client is %s: %+v", a, b.Facts)
			}
		}
		if one := draft(lab.FleetSpec{Run: "aaaaaa", Family: ip, Replicas: 1}).Facts.Clients; !one.IsSingleIP() {
			t.Errorf("one client is a network, %s", one)
		}
	}
}

// What clients speak is said to the replicas, and known to strategies.
func TestProtocolIsHandedOn(t *testing.T) {
	for protocol, want := range map[lab.Protocol][3]string{
		"": {"http", "http1", "tcp"}, lab.HTTP1: {"http", "http1", "tcp"}, lab.HTTP2: {"http", "http2", "tcp"},
		lab.TCP: {"tcp", "tcp", "tcp"}, lab.UDP: {"udp", "udp", "udp"}, lab.WebSocket: {"http", "websocket", "tcp"},
	} {
		for _, spec := range placements {
			spec.Run, spec.Replicas, spec.Protocol = "aaaaaa", 1, protocol
			b := draft(spec)
			p := planOf(spec, b.Front, 0)
			told := ""
			for _, e := range p.environ() {
				if value, ok := strings.CutPrefix(e, "PROTOCOL="); ok {
					told = value
				}
			}
			if got := [3]string{told, string(b.Facts.Protocol), b.Facts.Transport}; got != want {
				t.Errorf("%q becomes %q, want %q", protocol, got, want)
			}
			if spec.Inherit != lab.InheritNone && (protocol == lab.UDP) != slices.ContainsFunc(p.sockets, func(s lab.Socket) bool { return s.Transport == "udp" }) {
				t.Errorf("with protocol %q a replica inherits %v", protocol, p.sockets)
			}
			if !strings.Contains(strings.Join(b.Shell, "\n"), " PROTOCOL="+told+" ") {
				t.Errorf("with protocol %q the replicas by hand are not told: %v", protocol, b.Shell)
			}
		}
	}
}

// errUsage stands for any usage error.
var errUsage = errors.New("a usage error")

func TestWhatIsNotSupportedIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		spec lab.FleetSpec
		is   error // nil: it is supported
	}{
		"image":         {lab.FleetSpec{Image: "some/server"}, lab.ErrUnsupported},
		"sidecar image": {lab.FleetSpec{SidecarImage: "nginx"}, lab.ErrUnsupported},
		"publish":       {lab.FleetSpec{Publish: lab.PublishFirst}, lab.ErrUnsupported},
		"publish each":  {lab.FleetSpec{Publish: lab.PublishEach}, lab.ErrUnsupported},
		"most":          {lab.FleetSpec{Replicas: maxReplicas}, nil},
		"too many":      {lab.FleetSpec{Replicas: maxReplicas + 1}, errUsage},
		"clients":       {lab.FleetSpec{Vantage: lab.External, Clients: lab.MaxClients}, nil},
		"a host's":      {lab.FleetSpec{Vantage: lab.OnHost, Clients: 2}, lab.ErrUnsupported},
		"of ::1":        {lab.FleetSpec{Vantage: lab.Localhost, Family: lab.IPv6, Clients: 2}, lab.ErrUnsupported},
	} {
		err := New(Options{}).Supports(c.spec)
		_, usage := errors.AsType[*lab.UsageError](err)
		if !errors.Is(err, c.is) && !(usage && errors.Is(c.is, errUsage)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, spec := range placements {
		spec.Replicas = 1
		if err := New(Options{}).Supports(spec); err != nil {
			t.Errorf("%+v: %v", spec, err)
		}
	}
}

// By hand as by the runtime, the host has a link of its own beside the
// replicas', with the address that is their gateway, and no bridge.
func TestHostHasALinkOfItsOwnOnAParent(t *testing.T) {
	for kind, words := range map[lab.LinkKind]string{lab.LinkMacvlan: "type macvlan mode bridge", lab.LinkIPvlan: "type ipvlan mode l2"} {
		for _, ip := range []lab.Family{lab.IPv4, lab.IPv6} {
			b := draft(lab.FleetSpec{Run: "aaaaaa", Placement: lab.OwnNetns, Replicas: 3, Family: ip, Link: kind})
			links, given := 0, false
			for _, line := range b.Shell {
				if strings.Contains(line, " link parent0 ") && strings.HasSuffix(line, words) {
					links++
				}
				given = given || strings.Contains(line, "addr add "+b.Facts.Gateway.String()+"/") && strings.Contains(line, " dev "+b.Facts.Bridge)
				if strings.Contains(line, "type bridge") || strings.Contains(line, "master") {
					t.Errorf("%s, IPv%d: %s", kind, ip, line)
				}
			}
			if links != 4 || !given || b.Facts.Link != kind {
				t.Errorf("%s, IPv%d: %d links on the parent, the host's has the gateway's address: %v\n%s", kind, ip, links, given, strings.Join(b.Shell, "\n"))
			}
			loose := strings.Contains(strings.Join(b.Shell, "\n"), "net.ipv4.conf.parent0.rp_filter=2")
			if loose != (kind == lab.LinkIPvlan && ip == lab.IPv4) {
				t.Errorf("%s, IPv%d: the reverse-path filter is loosened: %v", kind, ip, loose)
			}
		}
	}
}
