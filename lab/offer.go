package lab

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"
)

// measure waits until the front answers and offers the load.
func (t *Trial) measure(ctx context.Context, fleet Fleet, res *Result) ([]Sample, map[string]uint64, error) {
	place, err := fleet.Place(ctx, t.Vantage)
	if err != nil {
		return nil, nil, err
	}
	b := fleet.Blueprint()
	targets := Targets(t.Strategy, b.Front, t.Vantage, b.Replicas)
	if len(targets) == 0 {
		return nil, nil, fmt.Errorf("%s gives a client at %s nothing to dial", t.Strategy.Name(), t.Vantage)
	}
	at := time.Now()
	t.tell(Event{Phase: Probing})
	if err := t.awaitFront(ctx, place, targets); err != nil {
		return nil, nil, errors.Join(err, logsOf(ctx, fleet))
	}
	lap(&res.Timings.Probe, at)
	res.Environment = fleet.Environment(ctx)

	count := t.counter(fleet)
	before, err := count(ctx)
	if err != nil {
		return nil, nil, err
	}
	at = time.Now()
	p := newPulse(t.tell, t.Plan.Requests)
	samples := make([]Sample, 0, t.Plan.Requests)
	err = t.Driver.Drive(ctx, place, t.Plan, targets, func(s Sample) {
		samples = append(samples, s)
		p.beat(s)
	})
	lap(&res.Timings.Load, at)
	sort.Slice(samples, func(i, j int) bool { return samples[i].Request < samples[j].Request })
	if err != nil {
		return samples, nil, err
	}
	after, err := count(ctx)
	if err != nil {
		return samples, nil, err
	}
	if !unnamed(samples) {
		return samples, nil, nil
	}
	for name := range after {
		after[name] -= before[name]
	}
	return samples, after, nil
}

// counter counts accepted connections from outside where the server is the
// user's own; the instrumented one says itself who answered.
func (t *Trial) counter(fleet Fleet) func(context.Context) (map[string]uint64, error) {
	c, ok := fleet.(Counter)
	if t.Fleet.Image == "" || !ok {
		return func(context.Context) (map[string]uint64, error) { return nil, nil }
	}
	return c.Accepted
}

// unnamed says whether there are answers and none of them says who gave it.
func unnamed(samples []Sample) bool {
	some := false
	for _, s := range samples {
		if s.Instance != "" {
			return false
		}
		some = some || s.OK()
	}
	return some
}
