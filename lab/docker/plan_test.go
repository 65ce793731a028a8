package docker

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/portlab/portlab/lab"
)

func TestParseLdd(t *testing.T) {
	got, err := parseLdd(`	linux-vdso.so.1 (0x00007ffd8)
	libpcre2-8.so.0 => /lib/x86_64-linux-gnu/libpcre2-8.so.0 (0x00007f)
	/lib64/ld-linux-x86-64.so.2 (0x00007f)
`)
	want := []string{"/lib/x86_64-linux-gnu/libpcre2-8.so.0", "/lib64/ld-linux-x86-64.so.2"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if _, err := parseLdd("\tlibgone.so => not found\n"); err == nil {
		t.Error("a missing library must be an error")
	}
}

func FuzzParseLdd(f *testing.F) {
	f.Add("\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n")
	f.Fuzz(func(t *testing.T, text string) {
		paths, err := parseLdd(text)
		if err != nil && paths != nil {
			t.Errorf("both paths %q and an error %v", paths, err)
		}
	})
}

// What is shown and what is asked of the engine come from one plan; this holds
// the part that decides what a stranger can reach.
func TestNothingIsPublishedBeyondTheFront(t *testing.T) {
	for _, publish := range []lab.Publish{lab.PublishNone, lab.PublishFirst, lab.PublishEach} {
		for _, placement := range []lab.Placement{lab.OwnNetns, lab.SharedNetns, lab.HostNetns} {
			spec := lab.FleetSpec{Run: "aaaaaa", Replicas: 3, Placement: placement, Publish: publish, Image: "user/image", ImagePort: 3000}
			b := draft(spec, layoutOf(0), 8080, client.DefaultDockerHost)
			for _, p := range containersOf(spec, layoutOf(0), b) {
				for port, at := range bindings(p) {
					for _, x := range at {
						front := slices.ContainsFunc(p.publish, func(a netip.AddrPort) bool { return a.Addr() == x.HostIP })
						if !front && x.HostIP != loopback {
							t.Errorf("%s/%s: %s publishes %s at %q", placement, publish, p.name, port, x.HostIP)
						}
					}
				}
			}
		}
	}
}

// The transport of what is published is that of the clients, by hand too.
func TestPublishedPortHasTheTransport(t *testing.T) {
	for protocol, transport := range map[lab.Protocol]string{"": "tcp", lab.HTTP2: "tcp", lab.TCP: "tcp", lab.UDP: "udp"} {
		spec := lab.FleetSpec{Run: "aaaaaa", Replicas: 1, Publish: lab.PublishFirst, Protocol: protocol}
		b := draft(spec, layoutOf(0), 8080, client.DefaultDockerHost)
		p := containersOf(spec, layoutOf(0), b)[0]
		for port, at := range bindings(p) {
			if string(port.Proto()) != transport || len(at) != len(p.publish) || len(at) == 0 {
				t.Errorf("protocol %q: %s is published at %v", protocol, port, at)
			}
		}
		line := p.shell("net", "image")
		if byHand := strings.Contains(line, ":80/udp "); byHand != (transport == "udp") {
			t.Errorf("protocol %q by hand: %s", protocol, line)
		}
		if b.Facts.Transport != transport || !strings.Contains(line, " -e PROTOCOL="+protocol.Server()+" ") {
			t.Errorf("protocol %q: %+v, %s", protocol, b.Facts, line)
		}
	}
}

// Where each replica has a port of its own on the host, it is told which, and
// where it is looked for is there.
func TestReplicaIsToldItsOwnPort(t *testing.T) {
	spec := lab.FleetSpec{Run: "aaaaaa", Replicas: 3, Placement: lab.HostNetns, OwnPorts: true}
	b := draft(spec, layoutOf(0), 8080, client.DefaultDockerHost)
	ports := map[string]bool{"8080": true}
	for i, p := range containersOf(spec, layoutOf(0), b) {
		env := map[string]string{}
		for _, e := range p.env {
			env[e[0]] = e[1]
		}
		if at := net.JoinHostPort(env["HOST"], env["PORT"]); at != b.Replicas[i].Address.String() || ports[env["PORT"]] {
			t.Errorf("%s listens at %s and is looked for at %s", p.instance, at, b.Replicas[i].Address)
		}
		ports[env["PORT"]] = true
	}
}

func TestDraftNamesTheRunEverywhere(t *testing.T) {
	spec := lab.FleetSpec{Run: "aaaaaa", Replicas: 2, Placement: lab.SharedNetns, Publish: lab.PublishSandbox}
	b := draft(spec, layoutOf(3), 8080, client.DefaultDockerHost)
	for _, line := range slices.Concat(b.Shell, b.Undo) {
		if !strings.Contains(line, "aaaaaa") {
			t.Errorf("nothing in this line can be found again by the run's id: %s", line)
		}
	}
}

// Labels are on every replica, with its own port, and by hand as by request.
func TestReplicasCarryLabels(t *testing.T) {
	spec := lab.FleetSpec{
		Run: "aaaaaa", Replicas: 2, Placement: lab.OwnNetns, Image: "user/image", ImagePort: 3000,
		Labels: map[string]string{"a.port": lab.ReplicaPort, "a.rule": "PathPrefix(`/`)"},
	}
	b := draft(spec, layoutOf(0), 8080, client.DefaultDockerHost)
	f := &fleet{spec: spec, engine: &engine{home: "here"}}
	for _, p := range containersOf(spec, layoutOf(0), b) {
		want := map[string]string{"a.port": "3000", "a.rule": "PathPrefix(`/`)", labelRun: "aaaaaa", labelHome: "here"}
		if got := f.labels(p); !maps.Equal(got, want) {
			t.Errorf("%s is asked for with %q, want %q", p.name, got, want)
		}
		line := p.shell("net", "")
		for _, word := range []string{"-l a.port=3000 ", "-l 'a.rule=PathPrefix(`/`)' ", "-l portlab.run=aaaaaa "} {
			if !strings.Contains(line, word) {
				t.Errorf("no %q by hand: %s", word, line)
			}
		}
	}
}

// On a parent the network is of the links' own driver, the host's own link has
// the address that is the replicas' gateway, and all that is made by hand is
// taken back by hand.
func TestNetworkOnAParent(t *testing.T) {
	for _, kind := range []lab.LinkKind{lab.LinkMacvlan, lab.LinkIPvlan} {
		spec := lab.FleetSpec{Run: "aaaaaa", Replicas: 2, Placement: lab.OwnNetns, Link: kind}
		b := draft(spec, layoutOf(3), 8080, client.DefaultDockerHost)
		p := parentOf(spec, layoutOf(3), nil)
		if p.Own.Address.Addr() != b.Facts.Gateway || p.Own.Name != b.Facts.Bridge || b.Facts.Link != kind {
			t.Errorf("%s: the host's own link is %+v, the facts are %+v", kind, p.Own, b.Facts)
		}
		made, undone := strings.Join(b.Shell, "\n"), strings.Join(b.Undo, "\n")
		for _, want := range []string{"ip link add " + p.Name + " ", "docker network create --driver " + string(kind) + " ", " -o parent=" + p.Name + " "} {
			if !strings.Contains(made, want) {
				t.Errorf("%s: no %q by hand:\n%s", kind, want, made)
			}
		}
		if strings.Index(undone, "docker network rm") > strings.Index(undone, "ip link del "+p.Name) || !strings.Contains(undone, "docker network rm") {
			t.Errorf("%s: the parent goes before its network:\n%s", kind, undone)
		}
		for _, line := range slices.Concat(b.Shell, b.Undo) {
			if !strings.Contains(line, "aaaaaa") {
				t.Errorf("%s: nothing in this line can be found again by the run's id: %s", kind, line)
			}
		}
	}
}
