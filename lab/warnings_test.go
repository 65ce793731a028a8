package lab

import (
	"strings"
	"testing"
	"time"
)

// loaded is a load in good order: an open loop of a thousand requests, each on
// a new connection that stands after 50 µs.
func loaded() (*Result, SampleList) {
	r := &Result{
		Fleet:  fleet(1),
		Plan:   Plan{Rate: 1000, Concurrency: 16, Clients: 1},
		Client: Client{Ports: 2000},
	}
	var all SampleList
	for i := range 1000 {
		at := time.Duration(i) * time.Millisecond
		all = append(all, Sample{
			Request: i, Connection: i, Due: at, Begun: at, Connected: at + 50*time.Microsecond,
			Done: at + 200*time.Microsecond, Instance: "foo",
		})
	}
	return r, all
}

func TestWarningsFollowTheirRules(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Result, SampleList)
		want   string // the only warning has it; empty: there is none
	}{
		"in good order":   {func(*Result, SampleList) {}, ""},
		"a little late":   {func(r *Result, _ SampleList) { r.Client.Late = 10 }, ""},
		"late":            {func(r *Result, _ SampleList) { r.Client.Late = 11 }, "11 of 1000 requests (1.1%)"},
		"a few queued":    {func(r *Result, _ SampleList) { r.Client.Queued = 10 }, ""},
		"queued":          {func(r *Result, _ SampleList) { r.Client.Queued, r.Client.Backlog = 500, 77 }, "up to 77 at once"},
		"half the ports":  {func(r *Result, _ SampleList) { r.Client.ClosedFirst = 1000 }, ""},
		"most ports":      {func(r *Result, _ SampleList) { r.Client.ClosedFirst = 1001 }, "1001 connections first"},
		"unknown ports":   {func(r *Result, _ SampleList) { r.Client.ClosedFirst, r.Client.Ports = 1001, 0 }, ""},
		"twice the ports": {func(r *Result, _ SampleList) { r.Client.ClosedFirst, r.Plan.Clients = 1001, 2 }, ""},
		"the rate nearly reached": {func(_ *Result, all SampleList) {
			slow(all, 1.04)
		}, ""},
		"the rate missed": {func(_ *Result, all SampleList) { slow(all, 2) }, "50% of the rate"},
		"a closed loop has no rate": {func(r *Result, all SampleList) {
			r.Plan.Rate = 0
			slow(all, 2)
		}, ""},
		"no ports left": {func(_ *Result, all SampleList) {
			all[3].Fault, all[3].Detail = ClientLimit, "connect: cannot assign requested address"
		}, "--clients"},
		"no descriptors left": {func(_ *Result, all SampleList) {
			all[3].Fault, all[3].Detail = ClientLimit, "socket: too many open files"
		}, "ulimit -n"},
		"no memory left": {func(_ *Result, all SampleList) { all[3].Fault = ClientLimit }, "1 of 1000 requests (0.1%)"},
		"another fault":  {func(_ *Result, all SampleList) { all[3].Fault = Reset }, ""},
		"drifting": {func(_ *Result, all SampleList) {
			for i := 500; i < len(all); i++ {
				all[i].Connected += 101 * time.Microsecond
			}
		}, "50µs over the first tenth of the connections and 151µs over the last"},
		"twice the time, and short": {func(_ *Result, all SampleList) {
			for i := 500; i < len(all); i++ {
				all[i].Connected += 99 * time.Microsecond
			}
		}, ""},
		"slow only in between": {func(_ *Result, all SampleList) {
			for i := 200; i < 800; i++ {
				all[i].Connected += time.Millisecond
			}
		}, ""},
		"kept connections": {func(_ *Result, all SampleList) {
			for i := range all {
				all[i].Connection = i % 16
			}
		}, ""},
	} {
		r, samples := loaded()
		c.change(r, samples)
		r.Fold(samples, nil)
		switch {
		case c.want == "" && len(r.Warnings) > 0:
			t.Errorf("%s: warned of %q", name, r.Warnings)
		case c.want != "" && (len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], c.want)):
			t.Errorf("%s: warnings %q, want one with %q", name, r.Warnings, c.want)
		}
	}
}

// slow has requests begin later and later, as one that takes so many times as
// long for all of them.
func slow(all SampleList, times float64) {
	for i := range all {
		all[i].Begun = time.Duration(float64(all[i].Due) * times)
		all[i].Connected, all[i].Done = all[i].Begun+1, all[i].Begun+2
	}
}

func TestAnEmulatedMachineIsTheFirstWarning(t *testing.T) {
	r, samples := loaded()
	r.Environment.Emulated, r.Client.Late, r.Client.Queued = true, 11, 500
	r.Fold(samples, nil)
	if len(r.Warnings) != 3 || r.Warnings[0] != EmulatedWarning {
		t.Fatalf("warnings %q", r.Warnings)
	}
	if !strings.Contains(r.Warnings[1], "emulated") || strings.Contains(r.Warnings[2], "emulated") {
		t.Errorf("marked are %q: a time is to be, a number of requests is not", r.Warnings[1:])
	}
}
