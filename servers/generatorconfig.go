package servers

import (
	"errors"
	"fmt"
	"strings"
)

// GeneratorConfig is the configuration of the generator: a JSON object such as
//
//	{"engine":"unix:///var/run/docker.sock","labels":["portlab.run=k3f9a2"],
//	 "template":"nginx.conf.tmpl","output":"nginx.conf","command":["nginx","-c","nginx.conf"]}
type GeneratorConfig struct {
	Engine string `json:"engine"` // the address of its socket
	// Labels are those that a container must have, all of them, as name or as
	// name=value. There is at least one: an engine runs the containers of others.
	Labels   []string `json:"labels"`
	Template string   `json:"template"` // the file of a text/template, which is given a []Container
	Output   string   `json:"output"`   // the file that is made of it
	Command  []string `json:"command"`  // the program that reads the output, and its arguments
}

// ReadGeneratorConfig reads a configuration from a file. A mistake in it, such
// as a field that is not known, is an [ErrConfig] that names the file and the
// entry.
func ReadGeneratorConfig(path string) (GeneratorConfig, error) {
	return readConfig(path, "the generator's configuration", parseGeneratorConfig)
}

func parseGeneratorConfig(text []byte) (c GeneratorConfig, err error) {
	if err := decodeStrictly(text, &c); err != nil {
		return c, err
	}
	switch {
	case !strings.HasPrefix(c.Engine, unixScheme):
		return c, fmt.Errorf(`"engine": %q is no socket of this machine, such as unix:///var/run/docker.sock`, c.Engine)
	case len(c.Labels) == 0:
		return c, errors.New(`"labels" names none`)
	case c.Template == "" || c.Output == "" || c.Template == c.Output:
		return c, fmt.Errorf(`"template" and "output" must be two files, not %q and %q`, c.Template, c.Output)
	case len(c.Command) == 0:
		return c, errors.New(`"command" names no program`)
	}
	return c, nil
}
