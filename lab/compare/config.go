package compare

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/portlab/portlab/lab"
)

const (
	// DefaultRounds tells arms apart that differ in every round, with Holm over
	// all pairs of up to a hundred arms.
	DefaultRounds = 10
	// MaxRounds bounds a comparison.
	MaxRounds = 1000
	// Alpha is the probability of telling any pair of a metric apart that does
	// not differ, over all its pairs and all looks.
	Alpha = 0.05
	// Power is the probability with which a stated number of rounds settles a pair.
	Power = 0.8
	// Precision is how near to one the whole interval of a ratio must be for two
	// arms to pass for equal where it is asked whether to go on: a factor.
	Precision = 1.05
	// WarmUpRequests is how many requests each arm is offered before the rounds.
	WarmUpRequests = 100
	// FailuresInARow is after how many failed runs in a row an arm is given up.
	FailuresInARow = 3
)

// Contender is an arm as it is asked for.
type Contender struct {
	Strategy lab.Strategy
	Replicas int
	Weights  []float64 // one for each replica, or none
	Baseline bool      // that others are divided by; the first one counts most
	// Named: somebody asked for it by name, so that claims are held against it
	// even where it is a baseline.
	Named bool
	// Absent is why it cannot take part; empty if it can.
	Absent string
}

// Config is what is compared, and how. All of it is fixed before the first run.
type Config struct {
	ID      lab.RunID
	Command []string // that repeats it
	Seed    uint64   // of the orders and of each run's plan

	// Trial is what all runs have in common: everything but strategy, replicas,
	// weights, run and seed. Its claims are held against each run; those that
	// were asked for, against each arm as well.
	Trial      lab.Trial
	Contenders []Contender

	Rounds int   // at most
	Looks  []int // the rounds before the last one after which it may end

	// Run carries out one trial from nothing to nothing; usually [lab.Run] with
	// what keeps the machine safe around it.
	Run func(ctx context.Context, t *lab.Trial) (*lab.Result, lab.Samples, error)
	// Keep stores a run's own report in a folder whose name is free, and returns
	// it. May be nil.
	Keep func(folder string, res *lab.Result, samples lab.Samples) error
	// Idle says what share of all processors' time the machine is busy while
	// nothing of the comparison runs, and its load average (proc(5), loadavg). May be nil.
	Idle func(ctx context.Context) (busy, load float64, err error)
	// Watch is told where the comparison is, before each run and after the last. May be nil.
	Watch func(Progress)
}

// Progress is where a comparison is.
type Progress struct {
	Round int    // from 1; 0 while arms warm up
	Of    int    // rounds, at most
	Arm   string // that runs now; empty at the end
	Done  int    // runs, those that warm up included
	Total int    // runs, at most
	// Left is how long the rest will take if it goes on like this; 0 while arms
	// warm up.
	Left time.Duration
	Note string // a sentence for people, such as why a run failed; empty mostly
}

// Check returns a [lab.UsageError] for a comparison that makes no sense, its
// claims included.
func (c *Config) Check() error {
	present := 0
	for _, x := range c.Contenders {
		if x.Absent == "" {
			present++
		}
	}
	switch {
	case c.Rounds < 1 || c.Rounds > MaxRounds:
		return lab.Usagef("the number of rounds must be from 1 to %d, not %d", MaxRounds, c.Rounds)
	case present < 2:
		return lab.Usagef("a comparison takes two strategies or more: name another, or a baseline")
	case !slices.IsSorted(c.Looks):
		return lab.Usagef("the looks must be in order, such as 6,8")
	}
	for i, at := range c.Looks {
		if at < 2 || at >= c.Rounds || i > 0 && at == c.Looks[i-1] {
			return lab.Usagef("the comparison may end early after rounds 2 to %d, each named once, not after %d", c.Rounds-1, at)
		}
	}
	_, err := c.ratioClaims()
	return err
}

// arms are the contenders' names and what a reader must know of them. One that
// is there twice, for an A/A comparison, is numbered.
func (c *Config) arms() []Arm {
	seen := map[string]int{}
	var all []Arm
	for _, x := range c.Contenders {
		name := lab.FullName(x.Strategy)
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s#%d", name, seen[name])
		}
		all = append(all, Arm{
			Name: name, Strategy: x.Strategy.Name(), Settings: lab.SettingsOf(x.Strategy),
			Summary: x.Strategy.About().Summary, Replicas: x.Replicas, Null: x.Strategy.Needs().Null,
			Baseline: x.Baseline, Absent: x.Absent,
		})
	}
	return all
}
