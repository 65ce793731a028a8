package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// measure waits until the front answers and offers the load.
func (t *Trial) measure(ctx context.Context, stands Standing, res *Result) (Samples, map[string]uint64, error) {
	fleet := stands.Fleet
	place, err := t.place(ctx, fleet)
	if err != nil {
		return SampleList{}, nil, err
	}
	b := fleet.Blueprint()
	targets := Targets(t.Strategy, b.Front, t.Vantage, b.Replicas)
	if len(targets) == 0 {
		return SampleList{}, nil, fmt.Errorf("%s gives a client at %s nothing to dial", t.Strategy.Name(), t.Vantage)
	}
	at := time.Now()
	t.tell(Event{Phase: Probing})
	if err := t.awaitFront(ctx, place, targets); err != nil {
		return SampleList{}, nil, errors.Join(t.unheard(err, targets[0]), logsOf(ctx, fleet))
	}
	lap(&res.Timings.Probe, at)
	res.Environment = fleet.Environment(ctx)
	if err := t.changesBefore(ctx, stands, &res.Environment); err != nil {
		return SampleList{}, nil, err
	}

	count := t.counter(fleet)
	before, err := count(ctx)
	if err != nil {
		return SampleList{}, nil, err
	}
	cost, err := t.meter(ctx, fleet)
	if err != nil {
		return SampleList{}, nil, err
	}
	at = time.Now()
	changed := t.changesDuring(ctx, stands)
	samples, err := t.Offer(ctx, place, targets, res)
	lap(&res.Timings.Load, at)
	notes, e := changed()
	for _, note := range notes {
		res.Environment.Notes = append(res.Environment.Notes, res.timed(note))
	}
	if err := errors.Join(err, e); err != nil {
		return samples, nil, err
	}
	if m := res.Client.Machine; m != nil {
		res.Environment.Notes = append(res.Environment.Notes, m.note())
	}
	if res.Cost, err = cost(ctx, res.Client); err != nil {
		return samples, nil, err
	}
	after, err := count(ctx)
	if err != nil {
		return samples, nil, err
	}
	if !unnamed(samples) {
		return samples, nil, samples.Err()
	}
	for name := range after {
		after[name] -= before[name]
	}
	return samples, after, nil
}

// Offer is the part of [Run] that offers the load to targets, from a place, and
// records its samples, those of a load that was cut off too. It fills in what
// the client says of itself. A load that the trial's monitor ends has not failed.
func (t *Trial) Offer(ctx context.Context, at Place, targets []netip.AddrPort, res *Result) (Samples, error) {
	recorder := t.Recorder
	if recorder == nil {
		recorder = &memory{}
	}
	var lost error
	plan := PlanFor(t.Strategy, t.Plan, res.Front, t.Vantage)
	res.Plan.Lookup = plan.Lookup
	p := newPulse(t.tell, plan)
	p.begin()
	emit := func(s Sample) {
		if lost == nil {
			lost = recorder.Record(s)
		}
		p.beat(s)
	}
	err := t.watched(ctx, res.Fleet, emit, func(ctx context.Context, emit func(Sample)) (err error) {
		res.Client, err = t.Driver.Drive(ctx, at, plan, targets, emit)
		return err
	})
	p.end()
	samples, e := recorder.Samples()
	return samples, errors.Join(err, lost, e)
}

// memory is a recorder that keeps samples in memory.
type memory struct{ all SampleList }

func (m *memory) Record(s Sample) error {
	m.all = append(m.all, s)
	return nil
}

func (m *memory) Samples() (Samples, error) {
	slices.SortFunc(m.all, func(a, b Sample) int { return cmp.Compare(a.Request, b.Request) })
	return m.all, nil
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
func unnamed(samples Samples) bool {
	some := false
	for s := range samples.All() {
		if s.Instance != "" {
			return false
		}
		some = some || s.OK()
	}
	return some
}
