// Package step holds the few kinds of change that strategies make of a host:
// a chain with its rules, a rule in a chain that is there already, a kernel
// parameter, the mode of a bridge, the tracked connections of a front, a
// program beside the replicas, a program in the kernel.
//
// Steps are immutable values and keep no state. Each says the same change by
// hand, by the very words that it would apply.
package step

import "github.com/portlab/portlab/lab"

// All kinds of step are steps.
var (
	_ lab.Replacer = Chain{}
	_ lab.Step     = Rule{}
	_ lab.Noted    = Sysctl{}
	_ lab.Replacer = Flows{}
	_ lab.Step     = Retrack{}
	_ lab.Replacer = Hairpin{}
	_ lab.Replacer = Sidecar{}
	_ lab.Replacer = BPF{}
)
