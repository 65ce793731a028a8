package netns

import (
	"strconv"
	"strings"

	"github.com/portlab/portlab/lab"
)

// plan is a replica's process as it is to be: the one description from which
// both the process and the command by hand are made.
type plan struct {
	instance string
	env      [][2]string
	sockets  []lab.Socket // that it inherits
	where    string       // the namespace: that of an instance, onHost or sandbox
	index    int          // the place of its namespace's address in the subnet
}

// The namespaces that are no replica's.
const (
	onHost  = "host"
	outside = "client"
	sandbox = "sandbox"
)

// planOf plans the i-th replica, counted from 0.
func planOf(spec lab.FleetSpec, front lab.Front, i int) plan {
	r := replicaAt(spec, front, i)
	p := plan{instance: r.Instance, where: r.Instance, index: i}
	// A listener of portlab's own, if it was started with one, is not a replica's.
	p.env = [][2]string{{"INSTANCE", r.Instance}, {"PROTOCOL", spec.Protocol.Server()}, {"LISTEN_PID", ""}}
	host, port := layoutOf(spec.Family).any.String(), r.Address.Port()
	switch {
	case spec.Inherit != lab.InheritNone:
		p.sockets = socketsOf(spec, front)
		p.env = append(p.env, [2]string{"LISTEN_FDS", strconv.Itoa(len(p.sockets))})
		return p
	case spec.OwnPorts:
		p.where, host = onHost, r.Address.Addr().String()
	case spec.Placement == lab.HostNetns:
		p.where, host = onHost, addresses(front)
	case spec.Placement == lab.SharedNetns:
		p.where, p.index = sandbox, 0
	}
	p.env = append(p.env, [2]string{"LISTEN_FDS", ""}, [2]string{"HOST", host}, [2]string{"PORT", strconv.Itoa(int(port))})
	if spec.ReusePort {
		p.env = append(p.env, [2]string{"REUSEPORT", "1"})
	}
	return p
}

// socketsOf are those that a replica inherits, its own or those of all:
// listening ones of TCP, on which it answers HTTP whatever its clients speak, and
// those of another transport.
func socketsOf(spec lab.FleetSpec, front lab.Front) []lab.Socket {
	transports := []string{"tcp"}
	if t := spec.Protocol.Transport(); t != "tcp" {
		transports = append(transports, t)
	}
	var all []lab.Socket
	for _, t := range transports {
		for _, at := range front.Endpoints() {
			all = append(all, lab.Socket{Address: at, Transport: t, ReusePort: spec.Inherit == lab.InheritOwn})
		}
	}
	return all
}

func plansOf(spec lab.FleetSpec, front lab.Front) []plan {
	plans := make([]plan, spec.Replicas)
	for i := range plans {
		plans[i] = planOf(spec, front, i)
	}
	return plans
}

// namespacesOf are the first plans of each namespace that has a link to the host.
func namespacesOf(plans []plan) []plan {
	seen := map[string]bool{onHost: true}
	var all []plan
	for _, p := range plans {
		if !seen[p.where] {
			all = append(all, p)
		}
		seen[p.where] = true
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

// environ is the process's environment, as KEY=value.
func (p plan) environ() []string {
	all := make([]string, len(p.env))
	for i, e := range p.env {
		all[i] = e[0] + "=" + e[1]
	}
	return all
}
