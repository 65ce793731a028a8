package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// readyStreak is how many answers in a row the front must give before anything
// is counted: a fresh network sometimes drops traffic in its first second.
const readyStreak = 5

// defaultPatience is how long a front may take until it answers.
const defaultPatience = 20 * time.Second

// ErrSilent is what errors.Is finds where a front never answered.
var ErrSilent = errors.New("the front did not answer")

func (t *Trial) awaitFront(ctx context.Context, at Place, targets []netip.AddrPort) error {
	patience := t.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	deadline := time.Now().Add(patience)
	streak := max(readyStreak, 2*len(targets))
	probe := t.Plan
	probe.Requests, probe.Duration, probe.Concurrency, probe.Streams, probe.PerConnection = 1, 0, 1, 1, 1
	probe.Rate, probe.Ramp, probe.WarmUp, probe.Timeout = 0, 0, 0, time.Second
	driver := t.Prober
	if driver == nil {
		driver = t.Driver
	}
	for good := 0; good < streak; {
		var last Sample
		one := targets[good%len(targets) : good%len(targets)+1]
		if _, err := driver.Drive(ctx, at, probe, one, func(s Sample) { last = s }); err != nil {
			return err
		}
		// A proxy may answer by itself before it knows of its replicas.
		stranger := last.OK() && last.Instance == "" && t.Fleet.Image == ""
		if last.OK() && !stranger {
			good++
			continue
		}
		good = 0
		if stranger {
			last.Detail = "it answers, and no replica does"
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %s within %s: %s (%s)", ErrSilent, one[0], patience, last.Fault, last.Detail)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func logsOf(ctx context.Context, fleet Fleet) error {
	l, ok := fleet.(Logger)
	if !ok {
		return nil
	}
	var all []string
	for name, text := range l.Logs(ctx) {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, fmt.Sprintf("log of %s: %s", name, text))
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return errors.New(strings.Join(all, "\n"))
}
