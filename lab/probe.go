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

func (t *Trial) awaitFront(ctx context.Context, at Place, targets []netip.AddrPort) error {
	const patience = 20 * time.Second
	deadline := time.Now().Add(patience)
	streak := max(readyStreak, 2*len(targets))
	probe := Plan{Requests: 1, Concurrency: 1, Timeout: time.Second, Path: t.Plan.Path, Seed: 1}
	for good := 0; good < streak; {
		var last Sample
		one := targets[good%len(targets) : good%len(targets)+1]
		if err := t.Driver.Drive(ctx, at, probe, one, func(s Sample) { last = s }); err != nil {
			return err
		}
		if last.OK() {
			good++
			continue
		}
		good = 0
		if time.Now().After(deadline) {
			return fmt.Errorf("the front %s did not answer within %s: %s (%s)", one[0], patience, last.Fault, last.Detail)
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
