package strategies

import (
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(systemdSocketProxyd{}) }

// systemdSocketProxyd runs one systemd-socket-proxyd for each replica. Each
// inherits a listening socket of its own, as from a socket unit with
// ReusePort=yes.
type systemdSocketProxyd struct{}

func (systemdSocketProxyd) Name() string { return "systemd-socket-proxyd" }

func (systemdSocketProxyd) About() lab.About {
	return lab.About{
		Summary: "one systemd-socket-proxyd for each replica, behind sockets that share the front with SO_REUSEPORT",
		Path: []string{
			"The packet reaches the front's address on the host, where a socket for each replica listens, made before its proxy was started.",
			"The kernel picks one of the sockets by a hash of the packet's addresses and ports.",
			"The proxy that inherited it accepts, dials its replica and copies bytes both ways by splice(2).",
		},
		Caveats: []string{
			"The replica sees the host's address: the client's is lost.",
			forOneReplicaEach,
			"By default it carries 256 connections at a time (--connections-max); here it is 4096.",
			"It accepts before it has reached the replica: a client of a dead one sees a connection that is closed, not one refused.",
			"systemd itself is not needed: whoever starts the program hands it the socket and says so by LISTEN_FDS and LISTEN_PID.",
		},
		Sources: []string{
			"systemd-socket-proxyd(8), sd_listen_fds(3)",
			"systemd.socket(5): ReusePort=",
		},
	}
}

func (systemdSocketProxyd) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Null: lab.Hash,
		Probes: []lab.Probe{program(systemdProxyTo(""), "install systemd: the program is part of it")},
		NotFor: map[lab.Protocol]string{lab.UDP: "it carries stream sockets only"},
	}
}

func (systemdSocketProxyd) Steps(_ lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if len(to) == 0 {
		return nil, errNoReplica
	}
	var steps []lab.Step
	for _, r := range to {
		for i, at := range front.Endpoints() {
			// It takes what is before the last colon as it is: no brackets around IPv6.
			s := systemdProxyTo(r.Address.Addr().String() + ":" + port(r.Address))
			s.Name = fmt.Sprintf("systemd-socket-proxyd-%s-%d", r.Instance, i+1)
			s.Sockets = []lab.Socket{{Address: at, ReusePort: true}}
			steps = append(steps, step.Sidecar{Sidecar: s})
		}
	}
	return steps, nil
}

func systemdProxyTo(replica string) lab.Sidecar {
	return lab.Sidecar{
		Program: "systemd-socket-proxyd", Args: []string{"--connections-max=4096", replica},
		OnHost: true, Activated: true, VersionFlag: "--version",
	}
}
