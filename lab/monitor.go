package lab

import (
	"context"
	"errors"
)

// Monitor makes, from the replicas that stand, what looks at each sample of a
// load and says when they have shown enough. Samples come as the requests end,
// which need not be the order in which they were due, and calls do not overlap.
// Whoever ends a load by what it shows must judge it by a method that allows
// for that: [Plan.UntilSettled] tells the claims.
type Monitor func(replicas []Replica) func(s Sample) (enough bool)

// watched offers a load under a monitor: drive is called with what is to be
// called for each sample, and is cut off once the monitor has seen enough.
// Samples that come until the driver has ended are still emitted, and by the
// contract of [Driver] requests that are cut off give none.
func (t *Trial) watched(ctx context.Context, replicas []Replica, emit func(Sample), drive func(context.Context, func(Sample)) error) error {
	if t.Monitor == nil {
		return drive(ctx, emit)
	}
	look := t.Monitor(replicas)
	within, end := context.WithCancel(ctx)
	defer end()
	enough := false
	err := drive(within, func(s Sample) {
		emit(s)
		if !enough && look(s) {
			enough = true
			end()
		}
	})
	if enough && ctx.Err() == nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
