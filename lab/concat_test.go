package lab

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"time"
)

// twoLoads are loads of new connections on two instances, the second slower.
func twoLoads() (a, b SampleList) {
	for i := range 100 {
		at := time.Duration(i) * time.Millisecond
		s := Sample{
			Request: i, Connection: i / 2, Due: at, Begun: at + 1, Connected: at + 100, FirstByte: at + 200,
			Done: at + 300 + time.Duration(i*37%50), Instance: InstanceName(i % 2), Service: 20,
		}
		a = append(a, s)
		s.Done += 1000
		s.Connected = 0
		if i%10 == 0 {
			s.Fault = Refused
		}
		b = append(b, s)
	}
	return a, b
}

func TestConcatRunsOn(t *testing.T) {
	a, b := twoLoads()
	all := slices.Collect(Concat(a, b, a).All())
	end := a[99].Done
	for _, s := range a {
		end = max(end, s.Done)
	}
	if s := all[100]; s.Request != 100 || s.Connection != 50 || s.Due != end || s.Connected != 0 || s.FirstByte != end+200 {
		t.Errorf("the first of the second load is %+v, and the first ended at %s", s, end)
	}
	for i := range all {
		if all[i].Request != i || i > 0 && all[i].Due < all[i-1].Due {
			t.Fatalf("sample %d is %+v after %+v", i, all[i], all[i-1])
		}
	}
	if n := Concat(a, b, a).Len(); n != len(all) || n != 300 {
		t.Errorf("%d and %d samples of 300", n, len(all))
	}
}

// The fold over what was joined counts what the folds over its parts count,
// and its quantiles are those of all durations together.
func TestAFoldOverConcatIsOneOverAll(t *testing.T) {
	a, b := twoLoads()
	replicas := fleet(1, 1)
	ma, mb, m := Measure(a, replicas), Measure(b, replicas), Measure(Concat(a, b), replicas)
	for what, n := range map[string][3]int{
		"requests":    {ma.Requests, mb.Requests, m.Requests},
		"connections": {ma.Connections, mb.Connections, m.Connections},
		"opened":      {ma.Opened, mb.Opened, m.Opened},
		"refused":     {ma.Faults[Refused], mb.Faults[Refused], m.Faults[Refused]},
		"of foo":      {ma.Counts()[0], mb.Counts()[0], m.Counts()[0]},
		"of bar":      {ma.Counts()[1], mb.Counts()[1], m.Counts()[1]},
	} {
		if n[0]+n[1] != n[2] {
			t.Errorf("%s: %d and %d, together %d", what, n[0], n[1], n[2])
		}
	}
	durations := func(of func(Sample) time.Duration) Quantiles {
		var all []time.Duration
		for _, s := range slices.Concat(a, b) {
			if s.OK() {
				all = append(all, of(s))
			}
		}
		return quantilesOf(all)
	}
	if want := durations(Sample.Latency); m.Latency != want {
		t.Errorf("latency %+v, want %+v", m.Latency, want)
	}
	if want := durations(Sample.Response); m.Response != want {
		t.Errorf("response %+v, want %+v", m.Response, want)
	}
}

// brokenSamples end in an error after one.
type brokenSamples struct{ SampleList }

func (b brokenSamples) Err() error { return errBroken }

func (b brokenSamples) All() iter.Seq[Sample] { return b.SampleList[:1].All() }

var errBroken = errors.New("broken")

func TestConcatEndsWithItsFirstError(t *testing.T) {
	a, _ := twoLoads()
	c := Concat(a, brokenSamples{a}, a)
	if n := len(slices.Collect(c.All())); n != 101 || !errors.Is(c.Err(), errBroken) {
		t.Errorf("%d samples, error %v", n, c.Err())
	}
}
