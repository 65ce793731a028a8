package strategies

import "github.com/portlab/portlab/lab"

func init() { register(swarm{modeIngress}) }

// swarm makes the replicas tasks of one service of Docker Swarm, which
// publishes one port for all of them.
type swarm struct{ mode string }

// The ways in which Swarm publishes a service's port, in its own words.
const (
	modeIngress = "ingress"
	modeHost    = "host"
)

func (swarm) Name() string { return "swarm" }

// Options implements [lab.Configurable].
func (swarm) Options() []lab.Option {
	return []lab.Option{{
		Name: mode, Values: []string{modeIngress, modeHost},
		Meaning: "how the port is published; ingress: once for all tasks, by the routing mesh, host: for each task on its node, which the second on a node is refused",
	}}
}

// Settings implements [lab.Configurable].
func (s swarm) Settings() map[string]string { return map[string]string{mode: s.mode} }

// With implements [lab.Configurable].
func (swarm) With(settings map[string]string) lab.Strategy { return swarm{settings[mode]} }

func (s swarm) Needs() lab.Needs {
	if s.mode == modeHost {
		return lab.Needs{Placement: lab.OwnNetns, Publish: lab.PublishTasks, Null: lab.Single}
	}
	return lab.Needs{
		Placement: lab.OwnNetns, Publish: lab.PublishIngress, Null: lab.RoundRobin,
		Probes: []lab.Probe{virtualServers()},
	}
}

// Steps is empty: Swarm publishes.
func (swarm) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }

// Warning says where else the front can be called.
func (swarm) Warning() string {
	return "swarm publishes on every address of this machine, not on those of the run alone: Swarm cannot be told an address"
}

func (s swarm) About() lab.About {
	about := lab.About{
		Summary: "Docker Swarm's routing mesh: the replicas are tasks of one service, and IPVS in the ingress network picks one for each connection",
		Path: []string{
			"A packet to the published port, at any address of a node, is rewritten by a DNAT rule of the engine (DOCKER-INGRESS) to a network namespace of Swarm's, ingress_sbox.",
			"A mangle rule there marks it, IPVS has a virtual server for that mark, and its scheduler takes the tasks in turn (rr).",
			"The source becomes that namespace's address in the ingress network, an overlay (VXLAN) that all nodes share, so that the answer comes back this way.",
			"In the task's namespace a REDIRECT rule turns the published port into the one on which the replica listens.",
		},
		Caveats: []string{
			"The client's address is lost: the replica sees that of the node's end of the ingress network.",
			"The choice is made once for each connection: requests on a connection that is kept alive all go to one replica.",
			"Swarm cannot be told an address to publish on: the port is open on every one of the node's.",
			"A task gets connections as soon as its container has started: only an image with a HEALTHCHECK makes Swarm wait until it serves.",
			"Which tasks end when a service is made smaller is Swarm's own choice; a task that has ended unasked is started again.",
			"An engine that is in no swarm is made a swarm of one for the run and leaves it at the end; one that is in a swarm is used, and its swarm is never left.",
			"The engine keeps its chains DOCKER-INGRESS, with nothing in them, when it has left a swarm.",
		},
		OverUDP: []string{"Datagrams of one client's address and port go to one replica until none comes for 300 seconds (ipvsadm --set)."},
		Sources: []string{
			"https://docs.docker.com/engine/swarm/ingress/",
			"https://docs.docker.com/engine/swarm/networking/",
			"https://docs.docker.com/reference/cli/docker/service/create/",
			"https://github.com/moby/moby/issues/25526 (the client's address is lost)",
		},
	}
	if s.mode == modeHost {
		about.Summary = "Docker Swarm publishes each task's port on its node (mode=host): a second task on one node finds no place"
		about.Path = []string{
			"The first task takes the port on its node, as docker run -p does.",
			"The second asks for the same, and Swarm finds no node for it: the port is in use on all of them.",
		}
		about.Caveats = about.Caveats[2:]
		about.OverUDP = nil
	}
	return about
}
