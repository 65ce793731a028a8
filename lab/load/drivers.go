package load

import (
	"context"
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

// listing is a driver by the name that a user types and results carry.
type listing struct {
	name string
	driver
	// needs returns a lab.UnsupportedError if the driver cannot work on this
	// machine; nil: it always can.
	needs func(context.Context) error
}

var drivers = []listing{
	{rawName, Raw{}, nil},
	{streamsName, Streams{}, nil},
	{curlName, Curl{}, func(ctx context.Context) error { _, err := findCurl(ctx); return err }},
	{simpleName, Simple{}, nil},
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
// lab.UsageError for any other word, and for a driver that cannot, and a
// lab.UnsupportedError where a program that the driver needs is missing.
func Choose(ctx context.Context, name string, p lab.Plan) (string, error) {
	return choose(ctx, name, p, true)
}

// choose is [Choose] for a driver on this machine, or on another of which it is
// not known what programs it has.
func choose(ctx context.Context, name string, p lab.Plan, here bool) (string, error) {
	if name == Auto {
		name = fitting(p)
	}
	d, err := find(name)
	if err != nil {
		return "", err
	}
	if err := d.can(p); err != nil || d.needs == nil || !here {
		return name, err
	}
	return name, d.needs(ctx)
}

// Prober is the driver for single requests of a protocol, in this process.
func Prober(p lab.Protocol) lab.Driver {
	d, err := find(fitting(lab.Plan{Protocol: p}))
	if err != nil {
		panic(err) // fitting names a driver that is not listed: a mistake in this package
	}
	return d.driver
}

// fitting is the driver for a plan.
func fitting(p lab.Plan) string {
	switch {
	case p.Lookup.Client == lab.CurlClient:
		return curlName
	case p.Lookup.Client != "":
		return simpleName
	case p.Protocol == lab.HTTP2 || p.Protocol == lab.WebSocket:
		return streamsName
	}
	return rawName
}

// dialsAddresses returns a lab.UsageError for a plan that has a name looked up,
// which a driver leaves to others.
func dialsAddresses(driver string, p lab.Plan) error {
	if p.Lookup.Client == "" {
		return nil
	}
	return lab.Usagef("the client named %s dials addresses, and does not look a name up as %s does: leave --client out", driver, p.Lookup.Client)
}

func find(name string) (listing, error) {
	for _, d := range drivers {
		if d.name == name {
			return d, nil
		}
	}
	words := slices.Concat([]string{Auto}, Drivers())
	return listing{}, lab.Usagef("the client must be one of %s, not %q", strings.Join(words, ", "), name)
}
