package calibrate

import (
	"context"
	"slices"
	"sync"

	"github.com/portlab/portlab/lab"
)

// The bounds of a calibration.
const (
	DefaultRuns = 1000
	MinRuns     = 100
	MaxRuns     = 1_000_000
)

// Report is what a calibration by simulation came to.
type Report struct {
	Runs   int      `json:"runs"` // of each row
	Seed   uint64   `json:"seed"`
	Alarms []Alarms `json:"false_alarms"`
	Power  []Power  `json:"power"`
	Judged []Judged `json:"verdicts"`
	// Above counts the rows of Alarms above their promise by their own 95%
	// interval, among those that promise something; of so many, one in forty
	// lies there by chance.
	Above int `json:"above"`
	Of    int `json:"of"`
}

// Config is what to simulate.
type Config struct {
	Runs int // of each row
	Seed uint64
	// Watch is told how many of all rows' studies are done. May be nil. Calls do
	// not overlap.
	Watch func(done, of int)
}

// Check returns a [lab.UsageError] for a configuration that makes no sense.
func (c Config) Check() error {
	if c.Runs < MinRuns || c.Runs > MaxRuns {
		return lab.Usagef("the number of runs must be from %d to %d, not %d", MinRuns, MaxRuns, c.Runs)
	}
	return nil
}

// Simulate holds every test against balancers of known law. The same seed gives
// the same report, on any number of processors. Its only errors are those of
// Check and of ctx.
func Simulate(ctx context.Context, c Config) (*Report, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	alarms, powers, verdicts := falseAlarms(), searches(), judgements()
	counted := make([][]Alarms, len(alarms))
	r := &Report{Runs: c.Runs, Seed: c.Seed, Power: make([]Power, len(powers)), Judged: make([]Judged, len(verdicts))}
	var work []func()
	for i, s := range alarms {
		work = append(work, func() { counted[i] = s.alarms(c.Runs, c.Seed) })
	}
	for i, s := range powers {
		work = append(work, func() { r.Power[i] = s.power(c.Runs, c.Seed) })
	}
	for i, j := range verdicts {
		work = append(work, func() { r.Judged[i] = j.run(c.Runs, c.Seed) })
	}
	var told sync.Mutex
	done := 0
	each(len(work), func(i int) {
		if ctx.Err() != nil {
			return
		}
		work[i]()
		told.Lock()
		defer told.Unlock()
		if done++; c.Watch != nil {
			c.Watch(done, len(work))
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	r.Alarms = slices.Concat(counted...)
	Judge(r.Alarms)
	judgeAll(r.Judged)
	r.Above, r.Of = Above(r.Alarms)
	return r, nil
}

// Broken says in how many rows a promise is broken, of false alarms or of
// verdicts.
func (r *Report) Broken() int {
	n := len(Broken(r.Alarms))
	for _, j := range r.Judged {
		if j.Finding == TooMany {
			n++
		}
	}
	return n
}
