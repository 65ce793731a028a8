package strategies

import (
	"encoding/json"
	"fmt"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/step"
)

func init() { register(nginxGen{}) }

// nginxGen is nginx whose configuration follows the events of a container
// engine, as that of nginx-proxy does.
type nginxGen struct{ as nginx }

// labelPort is the label by which the generator knows a replica, and its port.
const labelPort = "portlab.port"

func (nginxGen) Name() string { return "nginx-gen" }

// Options implements [lab.Configurable].
func (g nginxGen) Options() []lab.Option { return g.as.Options() }

// Settings implements [lab.Configurable].
func (g nginxGen) Settings() map[string]string { return g.as.Settings() }

// With implements [lab.Configurable].
func (nginxGen) With(changed map[string]string) lab.Strategy { return nginxGen{nginx{changed}} }

func (g nginxGen) About() lab.About {
	a := g.as.About()
	a.Summary = "nginx whose configuration is made anew whenever a container starts or ends, as nginx-proxy does it"
	a.Path = append([]string{
		"A generator hears from the engine that a container has started or ended, lists those of the run, makes nginx.conf from a template, and sends nginx SIGHUP.",
	}, a.Path...)
	a.Caveats = append([]string{
		"A replica is taken out once its container has ended: between docker stop and that it refuses new connections, and nginx tries each at another replica.",
		"A replica is put in as soon as its container has started, whether it serves yet or not.",
		"The generator is portlab's own, since docker-gen is not to be had from every Go proxy; it hears the same events (start, stop, die), with no pause to gather them in.",
		"Who has the engine's socket has the machine: nginx-proxy mounts it into the container that faces the network.",
		"All replicas carry the same labels: weights take the strategy nginx.",
	}, a.Caveats...)
	a.Sources = append([]string{
		"https://github.com/nginx-proxy/nginx-proxy",
		"https://github.com/nginx-proxy/docker-gen (-watch, -notify)",
		"https://docs.docker.com/reference/api/engine/ (events, list of containers)",
	}, a.Sources...)
	return a
}

func (g nginxGen) Needs() lab.Needs {
	n := g.as.Needs()
	n.Labels = map[string]string{labelPort: lab.ReplicaPort}
	n.Probes[0] = program(lab.Sidecar{Program: "nginx", OnHost: true}, "make tools installs it")
	return n
}

// Workers implements [lab.Concurrent].
func (g nginxGen) Workers() int { return g.as.Workers() }

// generated is the file that `portlab generate --config` reads.
type generated struct {
	Engine   string   `json:"engine"`
	Labels   []string `json:"labels"`
	Template string   `json:"template"`
	Output   string   `json:"output"`
	Command  []string `json:"command"`
}

// Steps are the same whatever the replicas are: events tell of them.
func (g nginxGen) Steps(f lab.Facts, _ lab.Front, to []lab.Replica) ([]lab.Step, error) {
	if err := canProxy(f, to); err != nil {
		return nil, err
	}
	if err := equalWeights(to); err != nil {
		return nil, err
	}
	const output = lab.SidecarDir + "/nginx.conf"
	text, err := json.MarshalIndent(generated{
		Engine: f.Engine, Labels: []string{lab.LabelRun + "=" + string(f.Run), labelPort},
		Template: output + ".tmpl", Output: output, Command: append([]string{"nginx"}, g.as.sidecar("").Args...),
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("the generator's configuration: %w", err)
	}
	return []lab.Step{step.Sidecar{Sidecar: lab.Sidecar{
		Name: "nginx-gen", Program: "portlab", Args: []string{"generate", "--config", lab.SidecarDir + "/generate.json"},
		Files: map[string]string{"generate.json": string(text) + "\n", "nginx.conf.tmpl": g.template(f)},
		Runs:  []string{"nginx"}, Transport: f.Transport, OnHost: true,
	}}}, nil
}

// template is nginx.conf with a line for each container; nginx takes no group
// without a server.
func (g nginxGen) template(f lab.Facts) string {
	line := g.as.server(`{{.IP}}:{{index .Labels "`+labelPort+`"}}`, 1)
	return g.as.around(f, "{{range .}}"+line+"{{else}}        server 127.0.0.1 down;\n{{end}}")
}
