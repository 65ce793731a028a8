package strategies

import "github.com/portlab/portlab/lab"

func init() {
	register(dockerPublish{})
	register(dockerPublishEach{})
}

// dockerPublish is what a container engine offers by itself: one port for one
// container. That it reaches one replica only is where the question begins.
type dockerPublish struct{}

func (dockerPublish) Name() string { return "docker-publish" }

func (dockerPublish) About() lab.About {
	return lab.About{
		Summary: "the engine publishes the port of one container (docker run -p): the others get nothing",
		Path: []string{
			"From another machine, and from the host to its LAN address, a DNAT rule of the engine rewrites the destination to the container.",
			"From 127.0.0.1 and from a container, docker-proxy accepts on the host and dials the container: two connections, and the client's address is lost.",
			"The first replica answers.",
		},
		Caveats: []string{
			"One port is published for one container; a second one is refused (docker-publish-each shows it).",
			"Which of the two ways a packet takes depends on where the client stands, and so does what the replica sees of its address.",
			"With --userland-proxy=false there is no docker-proxy, and 127.0.0.1 is served by a rule.",
		},
		Sources: publishSources(),
	}
}

func (dockerPublish) Needs() lab.Needs {
	return lab.Needs{Placement: lab.OwnNetns, Publish: lab.PublishFirst, Null: lab.Single}
}

// Steps is empty: the engine publishes.
func (dockerPublish) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) { return nil, nil }

// dockerPublishEach is what everybody tries first: every container published
// at one port. The refusal of the second is the finding.
type dockerPublishEach struct{}

func (dockerPublishEach) Name() string { return "docker-publish-each" }

func (dockerPublishEach) About() lab.About {
	return lab.About{
		Summary: "every container is published at the same port: the engine refuses the second",
		Path: []string{
			"The first container takes the port on the host.",
			"The second asks for the same, and the engine refuses to start it, since the port is allocated.",
		},
		Caveats: []string{"With more than one replica it never serves: the refusal is what the run finds out."},
		Sources: append(publishSources(), "https://github.com/docker/compose/issues/722 (the port clash on scale)"),
	}
}

// Warning says that it does not work.
func (dockerPublishEach) Warning() string {
	return "docker-publish-each is refused by design: one port can be published for one container only"
}

func (dockerPublishEach) Needs() lab.Needs {
	return lab.Needs{Placement: lab.OwnNetns, Publish: lab.PublishEach, Null: lab.Single}
}

// Steps is empty: the engine publishes, or refuses to.
func (dockerPublishEach) Steps(lab.Facts, lab.Front, []lab.Replica) ([]lab.Step, error) {
	return nil, nil
}

func publishSources() []string {
	return []string{
		"https://docs.docker.com/engine/network/port-publishing/",
		"https://docs.docker.com/reference/cli/dockerd/ (userland-proxy)",
		"https://github.com/moby/moby/tree/master/cmd/docker-proxy",
	}
}
