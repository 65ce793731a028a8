package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"github.com/portlab/portlab/lab"
	"github.com/portlab/portlab/lab/calibrate"
	"github.com/portlab/portlab/lab/kernel"
	"github.com/portlab/portlab/lab/load"
)

// alike are the trials that --real repeats, one for each strategy, without a
// runtime yet.
func (a *app) alike(f *calibrateFlags) ([]*lab.Trial, error) {
	fleet := &fleetFlags{
		replicas: f.replicas, runtime: f.runtime, link: string(lab.LinkBridge), vantage: string(lab.External), ip: int(lab.IPv4), protocol: string(lab.HTTP1),
	}
	var all []*lab.Trial
	for _, name := range f.strategies {
		t, err := a.trial(name, fleet)
		if err != nil {
			return nil, err
		}
		t.Plan.Requests = f.requests
		if err := t.Valid(); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// chooseAlike gives all trials the runtime of that name or, for auto, the first
// that can carry them all out.
func (a *app) chooseAlike(ctx context.Context, trials []*lab.Trial, name string) ([]ruledOut, error) {
	var arms []*arm
	for _, t := range trials {
		arms = append(arms, &arm{trial: t, named: true})
	}
	passed, err := a.chooseFor(ctx, arms, name)
	if err != nil {
		return nil, err
	}
	return passed, probeArms(ctx, arms, a.able)
}

// newFile refuses a file that is there already.
func newFile(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return lab.Usagef("--out %s is there already: name a new file", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return lab.Usagef("--out %s: %v", path, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return lab.Usagef("--out %s: its folder: %v", path, err)
	}
	return nil
}

// pairsOf is what --real prints as JSON.
type pairsOf struct {
	SchemaVersion int                `json:"schema_version"`
	Seed          uint64             `json:"seed"`
	Runtime       string             `json:"runtime"`
	Requests      int                `json:"requests"`
	Strategies    []*calibrate.Pairs `json:"strategies"`
}

// realPairs makes the pairs of each strategy, one after the other.
func (a *app) realPairs(ctx context.Context, trials []*lab.Trial, f *calibrateFlags) error {
	result := pairsOf{SchemaVersion: schemaVersion, Seed: f.seed, Runtime: trials[0].Runtime.Name(), Requests: f.requests}
	if !a.world.inside {
		a.sweepBefore(ctx, a.newDisplay(f.quiet, colorNever))
	}
	rng := rand.New(rand.NewPCG(f.seed, 1)) // of the plans; the orders of the pairs have the seed itself
	for _, t := range trials {
		watch := func(int, int) {}
		if !f.quiet {
			watch = a.tenths(lab.FullName(t.Strategy) + ": %d of %d runs\n")
		}
		p, err := calibrate.RunPairs(ctx, lab.FullName(t.Strategy), f.pairs, f.seed, func(ctx context.Context) (*lab.Result, lab.Samples, error) {
			return a.oneAlike(ctx, *t, f, rng)
		}, watch)
		if err != nil {
			return err
		}
		result.Strategies = append(result.Strategies, p)
	}
	if err := a.keepPairs(f.out, result.Strategies); err != nil {
		return err
	}
	return a.givePairs(result, f)
}

// oneAlike carries out one run, with a run's id, a seed and samples of its own.
func (a *app) oneAlike(ctx context.Context, t lab.Trial, f *calibrateFlags, rng *rand.Rand) (*lab.Result, lab.Samples, error) {
	t.Fleet.Run = lab.NewRunID()
	t.Plan.Seed = uint64(rng.Uint32()) + 1
	t.Claims = calibrate.Claims()
	marks, err := kernel.RunEnv(t.Fleet.Run)
	if err != nil {
		return nil, nil, err
	}
	if t.Driver, err = f.driver(ctx, t.Plan, marks...); err != nil {
		return nil, nil, err
	}
	t.Prober = load.Prober(t.Plan.Protocol)
	return a.carryOut(ctx, &t) // samples stay in memory: they are few
}

// keepPairs writes every run of every pair as CSV (RFC 4180).
func (a *app) keepPairs(path string, all []*calibrate.Pairs) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("keep the p-values: %w", err)
	}
	if err := errors.Join(writePairs(file, all), file.Close()); err != nil {
		return fmt.Errorf("keep the p-values in %s: %w", path, err)
	}
	return giveBack(a.getenv, path, "")
}

func writePairs(w io.Writer, all []*calibrate.Pairs) error {
	head := []string{"strategy", "pair", "arm", "run", "requests", "failed"}
	for _, test := range calibrate.Tests() {
		head = append(head, "p of: "+test)
	}
	rows := [][]string{append(head, calibrate.Metrics()...)}
	for _, p := range all {
		for _, r := range p.Runs {
			arm := "A"
			if r.Second {
				arm = "A'"
			}
			row := []string{p.Strategy, strconv.Itoa(r.Pair), arm, string(r.ID), strconv.Itoa(r.Requests), strconv.Itoa(r.Failed)}
			for _, test := range calibrate.Tests() {
				row = append(row, figure(r.PValues, test))
			}
			for _, m := range calibrate.Metrics() {
				row = append(row, figure(r.Values, m))
			}
			rows = append(rows, row)
		}
	}
	out := csv.NewWriter(w)
	return out.WriteAll(rows)
}

// figure is a value as CSV has it; empty if there is none.
func figure(values map[string]float64, name string) string {
	v, ok := values[name]
	if !ok {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func (a *app) givePairs(result pairsOf, f *calibrateFlags) error {
	var broken []calibrate.Alarms
	for _, p := range result.Strategies {
		broken = append(broken, calibrate.Broken(p.Alarms)...)
	}
	write := writeAlike
	if *f.format == formatJSON {
		write = func(w io.Writer, p pairsOf) error { return printJSON(w, p) }
	}
	if err := write(a.stdout, result); err != nil {
		return fmt.Errorf("print the calibration: %w", err)
	}
	return brokenPromises(broken, len(broken))
}
