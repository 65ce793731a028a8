package lab

import (
	"strings"
	"testing"
	"time"
)

// What an impaired path does by itself is not blamed on anything else.
func TestWarningsOfAnImpairedPath(t *testing.T) {
	drift := func(_ *Result, all SampleList) {
		for i := 500; i < len(all); i++ {
			all[i].Connected += time.Second
		}
	}
	late := func(fault Fault) func(*Result, SampleList) {
		return func(_ *Result, all SampleList) { all[3].Fault = fault }
	}
	overUDP := func(r *Result, all SampleList) { r.Plan.Protocol, all[3].Fault = UDP, ReadTimeout }
	for name, c := range map[string]struct {
		path   []TimedImpairment
		change func(*Result, SampleList)
		want   string // the only warning has it; empty: there is none
	}{
		"a time-out and no impairment":    {nil, late(ConnectTimeout), ""},
		"no time-out":                     {[]TimedImpairment{{0, Impairment{LossPercent: 1}}}, func(*Result, SampleList) {}, ""},
		"refused":                         {[]TimedImpairment{{0, Impairment{LossPercent: 1}}}, late(Refused), ""},
		"no connection in time":           {[]TimedImpairment{{0, Impairment{LossPercent: 1}}}, late(ConnectTimeout), "1 of 1000 requests (0.1%) timed out after 2s on a path that was impaired (loss=1%)"},
		"no answer in time":               {[]TimedImpairment{{0, Impairment{Delay: time.Second}}}, late(ReadTimeout), "--timeout"},
		"a datagram":                      {[]TimedImpairment{{0, Impairment{LossPercent: 1}}}, overUDP, "nobody sends a lost datagram again"},
		"all that the path was":           {[]TimedImpairment{{0, Impairment{LossPercent: 1}}, {time.Second, Impairment{}}}, late(ReadTimeout), "(loss=1%, then none@1s)"},
		"a drift on a path that holds":    {[]TimedImpairment{{0, Impairment{Delay: time.Millisecond}}}, drift, "what else ran"},
		"a drift on a path that loses":    {[]TimedImpairment{{0, Impairment{LossPercent: 40}}}, drift, "the path lost packets (loss=40%)"},
		"a path that became another":      {[]TimedImpairment{{time.Second, Impairment{Delay: time.Second}}}, drift, ""},
		"a path that became as it was":    {[]TimedImpairment{{0, Impairment{Delay: time.Second}}, {time.Second, Impairment{}}}, drift, ""},
		"no drift on a path that changes": {[]TimedImpairment{{time.Second, Impairment{LossPercent: 1}}}, func(*Result, SampleList) {}, ""},
	} {
		r, samples := loaded()
		r.Plan.Timeout, r.Impairments = 2*time.Second, c.path
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
