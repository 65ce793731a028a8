package load

import (
	"slices"
	"strings"

	"github.com/portlab/portlab/lab"
)

// Auto is the word for the driver that fits a plan best.
const Auto = "auto"

// driver is what a process of its own can run: it says beforehand whether it
// can carry out a plan.
type driver interface {
	lab.Driver
	// can returns a lab.UsageError for a plan that the driver leaves to others.
	can(p lab.Plan) error
}

// drivers are all of them, by the name that a user types and results carry.
var drivers = []struct {
	name   string
	driver driver
}{
	{rawName, Raw{}},
	{streamsName, Streams{}},
	{curlName, Curl{}},
	{simpleName, Simple{}},
}

// Drivers are the names of all drivers.
func Drivers() []string {
	var names []string
	for _, d := range drivers {
		names = append(names, d.name)
	}
	return names
}

// Choose returns the name of the driver that is to carry out a plan: the one
// named, or for [Auto] the one that fits the plan's protocol. It returns a
// lab.UsageError for any other word, and for a driver that cannot.
func Choose(name string, p lab.Plan) (string, error) {
	if name == Auto {
		name = fitting(p.Protocol)
	}
	d, err := find(name)
	if err != nil {
		return "", err
	}
	return name, d.can(p)
}

// Prober is the driver for single requests of a protocol, in this process.
func Prober(p lab.Protocol) lab.Driver {
	d, err := find(fitting(p))
	if err != nil {
		panic(err) // fitting names a driver that is not listed: a mistake in this package
	}
	return d
}

// fitting is the driver for a protocol.
func fitting(p lab.Protocol) string {
	if p == lab.HTTP2 || p == lab.WebSocket {
		return streamsName
	}
	return rawName
}

func find(name string) (driver, error) {
	for _, d := range drivers {
		if d.name == name {
			return d.driver, nil
		}
	}
	words := slices.Concat([]string{Auto}, Drivers())
	return nil, lab.Usagef("the client must be one of %s, not %q", strings.Join(words, ", "), name)
}
