package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/kernel"
)

// hold keeps a run's fleet up, says how to enter it, and returns when a signal
// ends it. That signal interrupts nothing: the result is there.
func (a *app) hold(ctx context.Context, fleet lab.Fleet, run lab.RunID, quiet bool) (err error) {
	holders, err := holdPlaces(ctx, fleet, run)
	defer func() { err = errors.Join(err, lab.Unclean(stopAll(ctx, holders))) }()
	if err != nil {
		return err
	}
	if !quiet {
		if err := a.tellPlaces(run); err != nil {
			return err
		}
	}
	<-ctx.Done()
	a.held = true
	if !quiet {
		fmt.Fprintln(a.stderr, "taking everything back")
	}
	return nil
}

// holdPlaces starts a process at each place that has none of its own, so that
// the place can be found and entered.
func holdPlaces(ctx context.Context, fleet lab.Fleet, run lab.RunID) ([]*kernel.Process, error) {
	var holders []*kernel.Process
	for _, h := range []struct {
		place   string
		vantage lab.Vantage
	}{{kernel.ClientPlace, lab.External}, {kernel.HostPlace, lab.OnHost}} {
		at, err := fleet.Place(ctx, h.vantage)
		if errors.Is(err, lab.ErrUnsupported) {
			continue // such as no external client without CAP_NET_ADMIN
		}
		if err != nil {
			return holders, err
		}
		p, err := kernel.Start(ctx, at, kernel.Command{
			Run: run, Path: "/proc/self/exe", Args: []string{"pause"}, Env: []string{kernel.EnvPlace + "=" + h.place},
		})
		if err != nil {
			return holders, fmt.Errorf("hold the place %s: %w", h.place, err)
		}
		holders = append(holders, p)
	}
	return holders, nil
}

func stopAll(ctx context.Context, holders []*kernel.Process) error {
	var errs []error
	for _, p := range slices.Backward(holders) {
		errs = append(errs, p.Stop(context.WithoutCancel(ctx)))
	}
	return errors.Join(errs...)
}

// shownPlaces are how many places are shown where there may be a thousand.
const shownPlaces = 6

// tellPlaces says how to enter what is kept.
func (a *app) tellPlaces(run lab.RunID) error {
	all, err := kernel.Standings()
	if err != nil {
		return err
	}
	its := ofRun(all, run)
	command := "  portlab enter "
	if a.getenv("SUDO_UID") != "" {
		command = "  sudo portlab enter "
	}
	fmt.Fprintf(a.stderr, "run %s is kept until Ctrl-C; meanwhile, in another terminal:\n", run)
	for _, s := range its[:min(len(its), shownPlaces)] {
		fmt.Fprintln(a.stderr, command+s.Place)
	}
	if more := len(its) - shownPlaces; more > 0 {
		fmt.Fprintf(a.stderr, "  and %d more: portlab enter lists them\n", more)
	}
	return nil
}

// ofRun are the standings of one run.
func ofRun(all []kernel.Standing, run lab.RunID) []kernel.Standing {
	return slices.DeleteFunc(slices.Clone(all), func(s kernel.Standing) bool { return s.Run != run })
}
