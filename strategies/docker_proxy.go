package strategies

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(dockerProxy{}) }

// dockerProxy runs one docker-proxy for each replica, all behind one port:
// each inherits a listening socket of its own with SO_REUSEPORT. Docker itself
// starts one for one container; the binary does not mind company.
type dockerProxy struct{}

func (dockerProxy) Name() string { return "docker-proxy" }

func (dockerProxy) About() lab.About {
	return lab.About{
		Summary: "one docker-proxy for each replica, all listening on the front with SO_REUSEPORT",
		Path: []string{
			"The packet reaches the front's address on the host, where one docker-proxy for each replica listens.",
			"The kernel picks one of their sockets by a hash of the packet's addresses and ports.",
			"That docker-proxy accepts, dials its replica and copies bytes both ways: two connections.",
		},
		Caveats: []string{
			"The replica sees the bridge's address: the client's is lost.",
			"Every byte is copied by a process in user space; splice(2) helps, but a connection costs two sockets on the host.",
			"There is one process for each replica and each address of the front.",
			"It accepts before it has reached the replica: a client of a dead one sees a connection that is closed, not one refused.",
			"A replica that calls the front must use the host's address: 127.0.0.1 is its own.",
		},
		OverUDP: []string{
			"It keeps a socket of its own for each client's address and port, until nothing is answered there for 90 seconds.",
		},
		Sources: []string{
			"https://github.com/moby/moby/pull/48132 (-use-listen-fd: the listening socket is inherited)",
			"https://docs.docker.com/reference/cli/dockerd/ (userland-proxy)",
			"socket(7): SO_REUSEPORT",
		},
	}
}

func (dockerProxy) Needs() lab.Needs {
	return lab.Needs{
		Placement: lab.OwnNetns, Null: lab.Hash,
		Probes: []lab.Probe{{Name: "docker-proxy with -use-listen-fd", Check: inheritsListener}},
	}
}

func (dockerProxy) Steps(f lab.Facts, front lab.Front, to []lab.Replica) ([]lab.Step, error) {
	var steps []lab.Step
	for _, r := range to {
		for i, at := range front.Endpoints() {
			steps = append(steps, step.Sidecar{Sidecar: lab.Sidecar{
				Name: fmt.Sprintf("docker-proxy-%s-%d", r.Instance, i+1), Program: "docker-proxy",
				Args: []string{
					"-proto", f.Transport, "-host-ip", at.Addr().String(), "-host-port", port(at),
					"-container-ip", r.Address.Addr().String(), "-container-port", port(r.Address), "-use-listen-fd",
				},
				OnHost: true, Status: true,
				Sockets: []lab.Socket{{Address: at, Transport: f.Transport, ReusePort: true}},
			}})
		}
	}
	return steps, nil
}

// inheritsListener asks docker-proxy for its flags: only those of Docker 28
// and later can be given a listening socket.
func inheritsListener(ctx context.Context, _ lab.Host, _ lab.Family) error {
	const remedy = "make tools builds it; or name one of Docker 28 or later in PORTLAB_DOCKER_PROXY"
	path, err := lab.FindProgram("docker-proxy")
	if errors.Is(err, lab.ErrUnsupported) {
		return &lab.UnsupportedError{What: "docker-proxy", Reason: err.Error(), Remedy: remedy}
	}
	if err != nil {
		return err
	}
	// Its exit status depends on the version: only what it prints is looked at.
	out, err := exec.CommandContext(ctx, path, "-h").CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		return fmt.Errorf("ask %s for its flags: %w", path, err)
	}
	if !bytes.Contains(out, []byte("-use-listen-fd")) {
		return &lab.UnsupportedError{
			What: "docker-proxy", Reason: path + " is older than Docker 28 and cannot be given a listening socket", Remedy: remedy,
		}
	}
	return nil
}
