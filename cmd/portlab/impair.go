package main

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"github.com/portlab/portlab/lab"
)

// addImpair adds the flag that makes the path between client and host worse.
func (f *fleetFlags) addImpair(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.impair, "impair", nil, "make the path between the external client and the host worse, each way, by `PART,PART` of "+
		"delay=20ms, jitter=5ms, loss=1%, duplicate=1%, corrupt=1%, reorder=25%, rate=10mbit, limit=1000; or none; "+
		"with @3s behind it, from then on; may be repeated")
	complete(c, "impair", "delay=20ms", "delay=20ms,jitter=5ms", "delay=20ms,loss=1%", "loss=1%", "rate=10mbit")
}

// impairments are those that were asked for, in the order of their times.
func (f *fleetFlags) impairments() ([]lab.TimedImpairment, error) {
	var all []lab.TimedImpairment
	for _, text := range f.impair {
		i, err := lab.ParseTimedImpairment(text)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	slices.SortStableFunc(all, func(a, b lab.TimedImpairment) int { return cmp.Compare(a.At, b.At) })
	return all, nil
}
