package lab

import (
	"errors"
	"fmt"
	"time"
)

// conclude folds the samples into the result and holds the claims against it.
func (t *Trial) conclude(res *Result, samples Samples, accepted map[string]uint64) error {
	at := time.Now()
	t.tell(Event{Phase: Judging})
	m := res.Fold(samples, accepted)
	res.Verdicts = t.Judge(res, m, samples)
	lap(&res.Timings.Judge, at)
	if err := samples.Err(); err != nil {
		return fmt.Errorf("read the samples again: %w", err)
	}
	return nil
}

// Judge is the part of [Run] that holds the trial's claims against what was
// measured. It fills in what the balancer seems to do.
func (t *Trial) Judge(res *Result, m Measurement, samples Samples) []Verdict {
	e := Evidence{
		Measurement: m, Samples: samples, Replicas: res.Fleet,
		Null: res.Null, Workers: res.Workers, Plan: t.Plan, Vantage: t.Vantage,
		Emulated: res.Environment.Emulated,
	}
	if t.Recognise != nil {
		b := t.Recognise(e)
		res.Behaviour = &b
	}
	var all []Verdict
	for i, c := range t.Claims {
		v := c.Judge(e)
		v.Claim, v.Asked = c.Name(), i < t.Asked
		all = append(all, v)
	}
	return all
}

// refusal turns a refusal that is the finding into a verdict on every claim.
// What could not be taken away after it is still an error.
func (t *Trial) refusal(res *Result, err error) (*Result, Samples, error) {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return res, SampleList{}, err
	}
	for i, c := range t.Claims {
		res.Verdicts = append(res.Verdicts, Verdict{
			Claim: c.Name(), Outcome: RefusedByHost, Asked: i < t.Asked,
			Sentence: "the host refused: " + refused.Error(), Warnings: []string{},
		})
	}
	if unclean, ok := errors.AsType[*UncleanError](err); ok {
		return res, SampleList{}, unclean
	}
	return res, SampleList{}, nil
}
