package lab

import (
	"context"
	"time"
)

// Again measures once more what another trial of the same strategy has made,
// such as from another vantage: it is for that trial's Hold, while everything
// still stands. The load is offered and the claims are judged as they are in
// [Run]; there are no changes and no impairments. The result says nothing of what
// was not done twice, such as the steps. Errors: an [UnsupportedError] for a
// vantage that the strategy rules out, and those of Run that come after the
// exposure.
func (t *Trial) Again(ctx context.Context, f Fleet) (*Result, error) {
	if err := t.Valid(); err != nil {
		return nil, err
	}
	res := t.newResult(time.Now())
	b := f.Blueprint()
	res.Front, res.Fleet, res.Family = b.Front, b.Replicas, b.Facts.Family
	x := *t
	x.Changes, x.Impairments = nil, nil
	samples, accepted, err := x.measure(ctx, Standing{Strategy: x.Strategy, Fleet: f}, res)
	if err != nil {
		return res, err
	}
	return res, x.conclude(res, samples, accepted)
}
