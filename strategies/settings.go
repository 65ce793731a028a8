package strategies

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/portlab/portlab/lab"
)

// settings are the chosen values of a strategy's options, by name.
type settings map[string]string

// of fills in the defaults of options that nobody chose a value for.
func (s settings) of(options []lab.Option) map[string]string {
	all := lab.Defaults(options)
	maps.Copy(all, s)
	return all
}

// methodOption is the option that says how a proxy picks a replica.
func methodOption(values ...string) lab.Option {
	meanings := map[string]string{
		lab.MethodTurn: "in turn", lab.MethodRandom: "at random",
		lab.MethodLeastConn: "the one with the fewest connections", lab.MethodHash: "by a hash of the client's address",
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v + ": " + meanings[v]
	}
	return lab.Option{Name: lab.Method, Values: values, Meaning: "how a replica is picked; " + strings.Join(words, ", ")}
}

// The methods that proxies have in common, and how each spreads connections.
var (
	allMethods   = []string{lab.MethodTurn, lab.MethodRandom, lab.MethodLeastConn, lab.MethodHash}
	nullOfMethod = map[string]lab.Null{
		lab.MethodTurn: lab.RoundRobin, lab.MethodRandom: lab.Random,
		lab.MethodLeastConn: lab.LeastConnections, lab.MethodHash: lab.HashAddress,
	}
)

// Names and values of options that several proxies have.
const (
	mode     = "mode"
	modeHTTP = "http"
	checks   = "checks"
	on       = "on"
	off      = "off"
)

// wholeWeight is a replica's weight for a proxy that takes whole numbers up to
// a greatest one. Others are a [lab.UsageError].
func wholeWeight(proxy string, r lab.Replica, greatest int) (int, error) {
	if r.Weight != math.Trunc(r.Weight) || !(r.Weight >= 1 && r.Weight <= float64(greatest)) {
		return 0, lab.Usagef("%s takes whole numbers from 1 to %d as weights, such as 3,1, not %v", proxy, greatest, r.Weight)
	}
	return int(r.Weight), nil
}

// program is the probe for what a sidecar executes: on this machine, or in an
// image where the runtime has those. Remedy says how to get it.
func program(s lab.Sidecar, remedy string) lab.Probe {
	return lab.Probe{Name: s.Program, OfProgram: true, Check: func(ctx context.Context, h lab.Host, _ lab.Family) error {
		f, ok := h.Sidecars().(lab.ProgramFinder)
		if !ok {
			return fmt.Errorf("look for %s: this host does not say which programs it has", s.Program)
		}
		err := f.FindProgram(ctx, s)
		if no, is := errors.AsType[*lab.UnsupportedError](err); is {
			no.Remedy = remedy + "; or " + no.Remedy
		}
		return err
	}}
}
