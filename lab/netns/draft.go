package netns

import (
	"cmp"
	"net/netip"

	"github.com/portlab/portlab/lab"
)

const (
	firstPort   = 8080 // of the front, unless another is asked for: in a fresh namespace all are free
	replicaPort = 80   // of a replica in a namespace of its own
)

// draft describes a fleet.
func draft(spec lab.FleetSpec) lab.Blueprint {
	l := layoutOf(spec.Family)
	front := lab.Front{Address: l.host, Loopback: l.loopback, Port: cmp.Or(spec.Port, firstPort)}
	if spec.SharedAddress {
		front.Address = l.shared
	}
	b := lab.Blueprint{
		Front: front,
		Facts: lab.Facts{
			Run: spec.Run, Family: spec.Family, Subnet: l.subnet, Gateway: l.gateway,
			Link: cmp.Or(spec.Link, lab.LinkBridge), Bridge: toReplicas(spec.Link),
			SidecarListen: front.Endpoints(), Client: l.client, Clients: l.clients(spec.Clients),
			Protocol: cmp.Or(spec.Protocol, lab.HTTP1), Transport: spec.Protocol.Transport(),
		},
	}
	for i := range spec.Replicas {
		b.Replicas = append(b.Replicas, replicaAt(spec, front, i))
	}
	b.HostShell, b.Shell, b.Undo = byHand(spec, b)
	b.LAN = lanByHand(spec)
	return b
}

// replicaAt is the i-th replica, counted from 0.
func replicaAt(spec lab.FleetSpec, front lab.Front, i int) lab.Replica {
	l := layoutOf(spec.Family)
	r := lab.Replica{Instance: lab.InstanceName(i), Weight: 1}
	if i < len(spec.Weights) {
		r.Weight = spec.Weights[i]
	}
	switch {
	case spec.OwnPorts:
		r.Address = front.Beside(i)
	case spec.Placement == lab.HostNetns || spec.Inherit != lab.InheritNone:
		r.Address = front.At(lab.OnHost)
	case spec.Placement == lab.SharedNetns:
		r.Address = netip.AddrPortFrom(l.replica(0), replicaPort)
	case spec.SharedAddress: // of which the port cannot be translated
		r.Address = netip.AddrPortFrom(l.replica(i), front.Port)
	default:
		r.Address = netip.AddrPortFrom(l.replica(i), replicaPort)
	}
	return r
}
