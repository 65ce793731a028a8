package docker

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// plan is a container as it is to be: the one description from which both the
// engine's request and the command by hand are made.
type plan struct {
	name     string // of the container
	instance string // of the replica; empty for the sandbox
	image    string // empty: the replicas' image
	command  []string
	env      [][2]string
	labels   [][2]string // beside those that all containers of the run have
	address  netip.Addr  // in the run's network; invalid if it joins another namespace
	join     string      // the container whose network namespace it joins, or "host"
	publish  []netip.AddrPort
	port     uint16 // where it listens inside
	// transport is that of the port: "tcp" or "udp".
	transport string
}

// sandboxName is the container that owns a shared namespace.
func sandboxName(run lab.RunID) string { return run.Object("sandbox") }

// containersOf lists the fleet's containers, in the order in which they must
// be started.
func containersOf(spec lab.FleetSpec, l layout, b lab.Blueprint) []plan {
	var all []plan
	if spec.Placement == lab.SharedNetns {
		sandbox := plan{
			name: sandboxName(spec.Run), command: []string{"pause"},
			address: l.replica(0), port: listenPort(spec, b.Front), transport: transport(spec),
		}
		if spec.Publish == lab.PublishSandbox {
			sandbox.publish = b.Front.Endpoints()
		}
		all = append(all, sandbox)
	}
	for i := range b.Replicas {
		all = append(all, replicaPlan(spec, l, b, i))
	}
	return all
}

func replicaPlan(spec lab.FleetSpec, l layout, b lab.Blueprint, i int) plan {
	r := b.Replicas[i]
	p := plan{
		name: spec.Run.Object(r.Instance), instance: r.Instance,
		image: spec.Image, port: listenPort(spec, b.Front), transport: transport(spec),
	}
	host := "0.0.0.0"
	switch spec.Placement {
	case lab.SharedNetns:
		p.join = "container:" + sandboxName(spec.Run)
	case lab.HostNetns:
		p.join, host = "host", addresses(b.Front)
		if spec.OwnPorts {
			host, p.port = r.Address.Addr().String(), r.Address.Port()
		}
	default:
		p.address = l.replica(i)
		if spec.Publish == lab.PublishEach || spec.Publish == lab.PublishFirst && i == 0 {
			p.publish = b.Front.Endpoints()
		}
	}
	p.env = [][2]string{
		{"INSTANCE", r.Instance}, {"HOST", host}, {"PORT", strconv.Itoa(int(p.port))}, {"PROTOCOL", spec.Protocol.Server()},
	}
	if spec.ReusePort {
		p.env = append(p.env, [2]string{"REUSEPORT", "1"})
	}
	p.labels = labelled(spec, p.port)
	if spec.Image == "" {
		p.command = []string{"serve"}
	}
	return p
}

// labelled are the labels that a fleet asks for on a replica that listens on a
// port. Whoever reads them must know the run's own by its label, by hand too.
func labelled(spec lab.FleetSpec, port uint16) [][2]string {
	if len(spec.Labels) == 0 {
		return nil
	}
	all := [][2]string{{labelRun, string(spec.Run)}}
	for _, name := range slices.Sorted(maps.Keys(spec.Labels)) {
		all = append(all, [2]string{name, strings.ReplaceAll(spec.Labels[name], lab.ReplicaPort, strconv.Itoa(int(port)))})
	}
	return all
}

// addresses are those of the front, as HOST wants them.
func addresses(f lab.Front) string {
	var all []string
	for _, e := range f.Endpoints() {
		all = append(all, e.Addr().String())
	}
	return strings.Join(all, ",")
}

// shell is the container by hand.
func (p plan) shell(network, image string) string {
	words := []string{"docker run -d --name", p.name}
	switch {
	case p.join != "":
		words = append(words, "--network", p.join)
	default:
		words = append(words, "--network", network, "--ip", p.address.String())
	}
	for _, a := range p.publish {
		published := fmt.Sprintf("%s:%d", a, p.port)
		if p.transport != "tcp" {
			published += "/" + p.transport
		}
		words = append(words, "-p", published)
	}
	for _, e := range p.env {
		words = append(words, "-e", e[0]+"="+e[1])
	}
	for _, l := range p.labels {
		words = append(words, "-l", lab.ShellWord(l[0]+"="+l[1]))
	}
	if p.image != "" {
		image = p.image
	}
	return strings.Join(append(append(words, image), p.command...), " ")
}
