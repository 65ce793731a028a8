package lab

import (
	"testing"
	"testing/synctest"
	"time"
)

// beats gives a pulse one sample for each pause, after it, and returns what it
// showed.
func beats(total int, samples []Sample, pause time.Duration) []Event {
	var shown []Event
	p := newPulse(func(e Event) { shown = append(shown, e) }, Plan{Requests: total})
	for _, s := range samples {
		time.Sleep(pause)
		p.beat(s)
	}
	return shown
}

func TestPulseIsThrottledAndShowsTheLastBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 1005 // of which the last comes soon after one that is shown
		shown := beats(total, make([]Sample, total), time.Millisecond)
		// One at once, one every 100 ms of the 1,005 ms, and the last.
		if len(shown) != 12 {
			t.Errorf("%d events of %d samples in %d ms, want 12", len(shown), total, total)
		}
		for i, e := range shown {
			if e.Phase != Loading || e.Total != total {
				t.Errorf("event %d is %+v", i, e)
			}
			if i > 0 && e.Done <= shown[i-1].Done {
				t.Errorf("event %d goes back from %d to %d", i, shown[i-1].Done, e.Done)
			}
			if i > 0 && i < len(shown)-1 && e.Done-shown[i-1].Done < 100 {
				t.Errorf("events %d and %d are less than 100 ms apart", i-1, i)
			}
		}
		if last := shown[len(shown)-1]; last.Done != total {
			t.Errorf("the last event is of sample %d, want %d", last.Done, total)
		}
	})
}

func TestPulseShowsEachSlowBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if shown := beats(10, make([]Sample, 5), time.Second); len(shown) != 5 {
			t.Errorf("%d events of 5 samples, each a second after the other", len(shown))
		}
	})
}

func TestPulseCountsFailuresAndTimesAnswersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		samples := []Sample{
			{Done: 10 * time.Millisecond}, {Done: 10 * time.Millisecond},
			{Done: time.Second, Fault: Refused}, {Done: time.Second, Fault: Reset}, {Done: time.Second, Fault: Refused},
			{Done: time.Hour}, // more than the histogram holds
		}
		shown := beats(len(samples), samples, 100*time.Millisecond)
		last := shown[len(shown)-1]
		if last.Failed != 3 || last.Done != 6 || last.RequestsPerSecond != 10 {
			t.Errorf("%+v, want 3 failed of 6 at 10 requests/s", last)
		}
		if want := 10 * time.Millisecond; last.P50 < want*99/100 || last.P50 > want*101/100 {
			t.Errorf("median %s, want %s to two digits", last.P50, want)
		}
	})
}

func TestPulseOfALoadBoundedByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shown []Event
		p := newPulse(func(e Event) { shown = append(shown, e) }, Plan{Duration: 2 * time.Second, WarmUp: time.Second})
		p.begin()
		time.Sleep(1500 * time.Millisecond)
		p.beat(Sample{})
		p.beat(Sample{}) // too soon to be shown
		time.Sleep(1500 * time.Millisecond)
		p.end()
		p.end() // with nothing new
		if len(shown) != 3 {
			t.Fatalf("%d events, want 3: %+v", len(shown), shown)
		}
		for i, want := range []Event{
			{Elapsed: -time.Second},
			{Elapsed: 500 * time.Millisecond, Done: 1, RequestsPerSecond: 2},
			{Elapsed: 2 * time.Second, Done: 2, RequestsPerSecond: 1},
		} {
			got := shown[i]
			if got.Elapsed != want.Elapsed || got.Done != want.Done || got.RequestsPerSecond != want.RequestsPerSecond || got.Planned != 2*time.Second {
				t.Errorf("event %d is %+v, want %+v", i, got, want)
			}
		}
	})
}

func TestProgressIsWhateverEndsTheLoadFirst(t *testing.T) {
	for _, c := range []struct {
		e    Event
		want float64
	}{
		{Event{}, 0},
		{Event{Done: 30, Total: 120}, 0.25},
		{Event{Elapsed: -time.Second, Planned: 2 * time.Second}, 0},
		{Event{Done: 9, Elapsed: time.Second, Planned: 2 * time.Second}, 0.5},
		{Event{Done: 9, Elapsed: 3 * time.Second, Planned: 2 * time.Second}, 1},
		{Event{Done: 90, Total: 120, Elapsed: time.Second, Planned: 2 * time.Second}, 0.75},
		{Event{Done: 30, Total: 120, Elapsed: time.Second, Planned: 2 * time.Second}, 0.5},
	} {
		if got := c.e.Progress(); got != c.want {
			t.Errorf("progress of %+v is %v, want %v", c.e, got, c.want)
		}
	}
}
