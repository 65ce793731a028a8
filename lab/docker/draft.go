package docker

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// replicaPort is where the instrumented server listens in a namespace of its own.
const replicaPort = 80

// userChain is where an engine wants rules of others that must come before its
// own (https://docs.docker.com/engine/network/packet-filtering-firewalls/).
const userChain = "DOCKER-USER"

// draft describes a fleet on a layout, of the engine whose socket has an address.
func draft(spec lab.FleetSpec, l layout, port uint16, socket string) lab.Blueprint {
	front := lab.Front{Loopback: loopback, Port: port}
	switch {
	case spec.FrontAddress.IsValid():
		front.Address = spec.FrontAddress
	case kernel.HasNetAdmin():
		front.Address = l.host
	}
	b := lab.Blueprint{
		Front: front,
		Facts: lab.Facts{
			Run: spec.Run, Family: lab.IPv4, Link: cmp.Or(spec.Link, lab.LinkBridge), Bridge: toReplicas(spec),
			Subnet: l.subnet, Gateway: l.gateway, ForwardChain: userChain,
			SidecarListen: front.Endpoints(), Client: l.client, Clients: l.clients(spec.Clients),
			Protocol: cmp.Or(spec.Protocol, lab.HTTP1), Transport: transport(spec),
			Engine:    socket,
			Published: spec.Publish != lab.PublishNone,
		},
	}
	if spec.Client.IsValid() {
		b.Facts.Client, b.Facts.Clients = spec.Client, netip.PrefixFrom(spec.Client, spec.Client.BitLen())
	}
	if spec.Publish.OfService() {
		b.Facts.Bridge, b.Facts.Subnet = gatewayBridge, l.gateways()
		b.Facts.Gateway = b.Facts.Subnet.Addr().Next()
	}
	for i := range spec.Replicas {
		b.Replicas = append(b.Replicas, replicaAt(spec, l, front, i))
	}
	b.Shell, b.Undo = byHand(spec, l, b)
	b.LAN = lanByHand(spec)
	return b
}

func replicaAt(spec lab.FleetSpec, l layout, front lab.Front, i int) lab.Replica {
	r := lab.Replica{Instance: lab.InstanceName(i), Weight: 1}
	if i < len(spec.Weights) {
		r.Weight = spec.Weights[i]
	}
	if spec.Publish.OfService() {
		return r // Swarm gives the address
	}
	port := listenPort(spec, front)
	switch spec.Placement {
	case lab.SharedNetns:
		r.Address = netip.AddrPortFrom(l.replica(0), port)
	case lab.HostNetns:
		r.Address = front.At(lab.OnHost)
		if !front.Address.IsValid() {
			r.Address = front.At(lab.Localhost)
		}
		if spec.OwnPorts {
			r.Address = netip.AddrPortFrom(r.Address.Addr(), front.Beside(i).Port())
		}
	default:
		r.Address = netip.AddrPortFrom(l.replica(i), port)
	}
	return r
}

// listenPort is where a replica listens.
func listenPort(spec lab.FleetSpec, front lab.Front) uint16 {
	switch {
	case spec.Placement == lab.HostNetns:
		return front.Port
	case spec.Image != "" && spec.ImagePort != 0:
		return spec.ImagePort
	default:
		return replicaPort
	}
}

// byHand is how to make the same fleet with docker and ip, and how to take it
// away again.
func byHand(spec lab.FleetSpec, l layout, b lab.Blueprint) (shell, undo []string) {
	client := spec.Run.Object("client")
	image := spec.Image
	if image == "" {
		image = imageName(spec.Run)
		shell = append(shell,
			"tar -C bin -c portlab | docker import -c 'ENTRYPOINT [\"/portlab\"]' - "+image)
		undo = append(undo, "docker rmi "+image)
	}
	made, unmade := networkByHand(spec, l)
	shell, undo = append(shell, made...), append(unmade, undo...)
	if makesClient(spec) {
		shell = append(shell, clientByHand(client, spec.Run, l)...)
		undo = append([]string{"ip netns del " + client}, undo...)
	}
	if spec.Publish.OfService() {
		s := serviceOf(spec, b, image)
		return append(shell, s.shell()), append([]string{"docker service rm " + s.name}, undo...)
	}
	var names []string
	for _, c := range containersOf(spec, l, b) {
		shell = append(shell, c.shell(spec.Run.Object("net"), image))
		names = append(names, c.name)
	}
	return shell, append([]string{"docker rm -f " + strings.Join(names, " ")}, undo...)
}

// networkByHand is how to make what the replicas are attached to.
func networkByHand(spec lab.FleetSpec, l layout) (shell, undo []string) {
	if spec.Publish.OfService() {
		return swarmByHand(l)
	}
	made, unmade := linksByHand(spec, l)
	net := spec.Run.Object("net")
	option, link := linkOption(spec)
	return append(made, fmt.Sprintf("docker network create --driver %s --subnet %s --gateway %s -o %s=%s %s",
		driver(spec), l.subnet, l.gateway, option, link, net)), append([]string{"docker network rm " + net}, unmade...)
}

func clientByHand(ns string, run lab.RunID, l layout) []string {
	host, peer := run.Link("h"), run.Link("c")
	return []string{
		"ip netns add " + ns,
		fmt.Sprintf("ip link add %s type veth peer name %s netns %s", host, peer, ns),
		fmt.Sprintf("ip addr add %s/%d dev %s", l.host, l.lan.Bits(), host),
		fmt.Sprintf("ip link set %s up", host),
		fmt.Sprintf("ip -n %s addr add %s/%d dev %s", ns, l.client, l.lan.Bits(), peer),
		fmt.Sprintf("ip -n %s link set lo up", ns),
		fmt.Sprintf("ip -n %s link set %s up", ns, peer),
		fmt.Sprintf("ip -n %s route add default via %s", ns, l.host),
	}
}
