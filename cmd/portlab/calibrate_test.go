package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/portlab/portlab/lab/calibrate"
)

// rowsFor are three tests: one that keeps its promise, one that does not, and
// one that is shown for contrast.
func rowsFor() []calibrate.Alarms {
	size := 0.057
	rows := []calibrate.Alarms{
		{Test: "shares", Of: "random", N: 300, Promise: calibrate.About, Why: "it is so", Nominal: 0.05, Runs: 1000, Alarms: 51, Rate: 0.051, Low: 0.038, High: 0.066, Exact: &size, P: 0.4},
		{Test: "order", Of: "random", N: 300, Promise: calibrate.AtMost, Why: "it is so", Nominal: 0.05, Runs: 1000, Alarms: 120, Rate: 0.12, Low: 0.1, High: 0.142, P: 1e-15},
		{Test: "retry", Of: "random", N: 300, Promise: calibrate.Nothing, Why: "it is wrong", Nominal: 0.05, Runs: 1000, Alarms: 400, Rate: 0.4, Low: 0.37, High: 0.43, P: 0},
	}
	calibrate.Judge(rows)
	return rows
}

func TestBrokenPromisesAreTold(t *testing.T) {
	rows := rowsFor()
	r := &calibrate.Report{Runs: 1000, Seed: 3, Alarms: rows, Judged: []calibrate.Judged{
		{Claim: "shares", Of: "random", Truth: "exactly fair", Runs: 100, Refuted: 30, Finding: calibrate.TooMany}}}
	err := brokenPromises(calibrate.Broken(rows), r.Broken())
	refuted, ok := errors.AsType[*refutedError](err)
	if !ok || len(refuted.claims) != 2 || status(t.Context(), err) != statusRefuted {
		t.Fatalf("%v", err)
	}
	if got := err.Error(); !strings.Contains(got, "order, random: 12% where 5% is promised") || !strings.Contains(got, "1 of the verdicts") {
		t.Errorf("it says %q", got)
	}
	if brokenPromises(nil, 0) != nil {
		t.Error("kept promises are an error")
	}
	var out bytes.Buffer
	if err := writeCalibration(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"5%   5.1% [3.8, 6.6]     exact 5.7%  as stated\n", "5%    12% [10, 14.2]                 too many alarms\n",
		"not a valid test\n", "30%  ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestTenthsAreTold(t *testing.T) {
	var errs bytes.Buffer
	tell := (&app{stderr: &errs}).tenths("%d of %d\n")
	for i := range 95 {
		tell(i+1, 95)
	}
	if lines := strings.Count(errs.String(), "\n"); lines != 10 || !strings.HasSuffix(errs.String(), "95 of 95\n") {
		t.Errorf("%d lines:\n%s", lines, errs.String())
	}
}
