package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/portlab/portlab/lab/calibrate"
)

// writeCalibration writes a calibration for people.
func writeCalibration(w io.Writer, r *calibrate.Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "False alarms where nothing is wrong: %d runs of each kind, fewer where a run is costly; seed %d\n", r.Runs, r.Seed)
	writeAlarms(&b, r.Alarms)
	fmt.Fprintf(&b, "\nOf %d rows that promise something, %d lie above it by their own 95%% interval, where chance alone may put %.1f.\n",
		r.Of, r.Above, float64(r.Of)/40)
	fmt.Fprintf(&b, "\nPower at a significance of %s\n", percent(calibrate.PowerAlpha))
	writePower(&b, r.Power)
	b.WriteString("\nVerdicts of the claim that every share is within 20% of its expected share\n")
	writeJudged(&b, r.Judged)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeAlarms writes a block for each test and promise.
func writeAlarms(b *strings.Builder, rows []calibrate.Alarms) {
	heading, kind := "", ""
	for _, r := range rows {
		if h := fmt.Sprintf("%s: %s\n  %s", r.Test, promised(r.Promise), r.Why); h != heading {
			fmt.Fprintf(b, "\n%s\n", h)
			heading, kind = h, ""
		}
		of := fmt.Sprintf("%s, n = %d", r.Of, r.N)
		if of == kind {
			of = ""
		} else {
			kind = of
		}
		exact := ""
		if r.Exact != nil {
			exact = "exact " + percent(*r.Exact)
		}
		line := fmt.Sprintf("  %-46s %4s %6s %-14s %-11s %s", of, percent(r.Nominal), percent(r.Rate), interval(r.Low, r.High), exact, r.Finding)
		fmt.Fprintln(b, strings.TrimRight(line, " "))
	}
}

func promised(p calibrate.Promise) string {
	switch p {
	case calibrate.AtMost:
		return "promises at most the nominal rate"
	case calibrate.About:
		return "promises about the nominal rate"
	case calibrate.Unknown:
		return "it is not known that there is nothing to find"
	}
	return "promises nothing"
}

func interval(low, high float64) string {
	return fmt.Sprintf("[%s, %s]", strings.TrimSuffix(percent(low), "%"), strings.TrimSuffix(percent(high), "%"))
}

func writePower(b *strings.Builder, rows []calibrate.Power) {
	heading := ""
	for _, r := range rows {
		if h := r.Test + ": " + r.Of; h != heading {
			fmt.Fprintf(b, "\n%s\n", h)
			heading = h
		}
		theory := ""
		if r.Ideal != nil {
			theory = fmt.Sprintf("theory %6s (%s)", percent(*r.Ideal), r.By)
		}
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("  n = %-6d found in %6s %-16s %s", r.N, percent(r.Rate), interval(r.Low, r.High), theory), " "))
	}
}

func writeJudged(b *strings.Builder, rows []calibrate.Judged) {
	fmt.Fprintf(b, "\n  %-34s %6s %6s %6s %6s %6s  %s\n", "balancer", "median", "runs", "held", "open", "refuted", "looks like, in so many runs")
	heading := ""
	sorted := slices.SortedStableFunc(slices.Values(rows), func(x, y calibrate.Judged) int {
		return cmp.Or(cmp.Compare(x.Claim, y.Claim), cmp.Compare(y.Truth, x.Truth))
	})
	for _, r := range sorted {
		if h := fmt.Sprintf("%s, %s", r.Claim, r.Truth); h != heading {
			fmt.Fprintf(b, "%s\n", h)
			heading = h
		}
		note := ""
		if r.Finding == calibrate.TooMany {
			note = "  " + string(r.Finding)
		}
		fmt.Fprintf(b, "  %-34s %6d %6d %6s %6s %6s  %s %d/%d%s\n", r.Of, r.Median, r.Runs, share(r.Held, r.Runs), share(r.Open, r.Runs),
			share(r.Refuted, r.Runs), r.Seems, r.Alike, r.Looked, note)
	}
}

func share(n, of int) string { return percent(float64(n) / float64(of)) }

// writeAlike writes what pairs of real runs came to.
func writeAlike(w io.Writer, p pairsOf) error {
	var b strings.Builder
	for _, s := range p.Strategies {
		fmt.Fprintf(&b, "%d pairs of runs of %s with itself on %s, %d requests each; %d runs lost a request\n",
			len(s.Runs)/2, s.Strategy, p.Runtime, p.Requests, s.Lost)
		writeAlarms(&b, s.Alarms)
		for _, name := range slices.Sorted(maps.Keys(s.Slower)) {
			fmt.Fprintf(&b, "\n%s had the longer median in %d of the runs in which latency depends on the instance at 5%%", name, s.Slower[name])
		}
		b.WriteString("\n\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
